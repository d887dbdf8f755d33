package manager

import (
	"fmt"
	"slices"
	"strings"

	"github.com/feac4032/multiproc/internal/broker"
)

// Errors of package manager.
var (
	// ErrNotFound is the error of opening an object that there is not. It names the
	// nearest name, and what there is.
	ErrNotFound = broker.ErrNotFound

	// ErrMismatch is the error of opening an object as another kind, with another
	// type or another size than it has.
	ErrMismatch = broker.ErrMismatch

	// ErrExists is the error of making an object whose name is taken.
	ErrExists = broker.ErrExists

	// ErrRemoved is the error of all operations on an object that was removed, or
	// whose manager was closed, those that were waiting included.
	ErrRemoved = broker.ErrRemoved

	// ErrNotShared is the error of sending an object to another process that is
	// not one of a manager.
	ErrNotShared = broker.ErrNotShared

	// ErrNoManager is the error of using a manager's object where there is no way
	// to it: the context is not that of a job, and this process is no worker; or
	// what has started the worker was not given a manager, or another one.
	ErrNoManager = broker.ErrNoManager

	// ErrLost is the error of calls whose link to the supervisor has ended.
	ErrLost = broker.ErrLost
)

const (
	// listed is how many names an error lists.
	listed = 20

	// searched is among how many names one that was meant is looked for: workers
	// ask, and all others wait meanwhile.
	searched = 1000
)

// notFound says what there is instead.
func (m *Manager) notFound(kind, name string) error {
	if n := len(m.names) + len(m.declared); n > searched {
		return fmt.Errorf("%s %q: %w. There are %d others", kind, name, ErrNotFound, n)
	}
	var names []string
	for n, e := range m.names {
		names = append(names, fmt.Sprintf("%q (%s)", n, e.ref.Kind))
	}
	for n, d := range m.declared {
		if m.names[n] == nil {
			names = append(names, fmt.Sprintf("%q (%s)", n, d.kinds[0]))
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("%s %q: %w; there are none", kind, name, ErrNotFound)
	}
	hint := ""
	if near := m.nearest(name); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	slices.Sort(names)
	rest := ""
	if len(names) > listed {
		rest = fmt.Sprintf(" and %d more", len(names)-listed)
		names = names[:listed]
	}
	return fmt.Errorf("%s %q: %w%s There are: %s%s", kind, name, ErrNotFound, orDot(hint), strings.Join(names, ", "), rest)
}

func orDot(hint string) string {
	if hint == "" {
		return "."
	}
	return hint
}

// nearest finds the name that a typing error may have meant, "" if none is near.
func (m *Manager) nearest(name string) string {
	best, least := "", len(name)/3+2
	if len(name) > 64 {
		return ""
	}
	try := func(n string) {
		if len(n) > 64 {
			return
		}
		if d := distance(name, n); d < least || d == least && best != "" && n < best {
			best, least = n, d
		}
	}
	for n := range m.names {
		try(n)
	}
	for n := range m.declared {
		try(n)
	}
	return best
}

// distance is how many letters have to be changed, added or taken away.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
