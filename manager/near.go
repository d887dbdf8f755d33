package manager

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// listed is how many names an error lists.
	listed = 20

	// searched is among how many names one that was meant is looked for.
	searched = 1000

	// searchable is how long a name may be to be looked for, in bytes.
	searchable = 64
)

// others are the names that there are when one was asked for that there is not,
// with the kinds of what they name. All but their number is left out if they are
// very many.
type others struct {
	n     int
	kinds map[string]string
}

// others are taken down under the lock, to be searched without it: workers ask, and
// nobody else is to wait for that. The caller holds mu.
func (m *Manager) others() others {
	o := others{n: len(m.names)}
	for n := range m.declared {
		if m.names[n] == nil {
			o.n++
		}
	}
	if o.n > searched {
		return o
	}
	o.kinds = make(map[string]string, o.n)
	for n, d := range m.declared {
		o.kinds[n] = string(d.kinds[0])
	}
	for n, e := range m.names {
		o.kinds[n] = e.ref.Kind
	}
	return o
}

// notFound says what there is instead.
func (o others) notFound(kind, name string) error {
	switch {
	case o.n == 0:
		return fmt.Errorf("%s %q: %w; there are none", kind, name, ErrNotFound)
	case o.kinds == nil:
		return fmt.Errorf("%s %q: %w. There are %d others", kind, name, ErrNotFound, o.n)
	}
	names := make([]string, 0, o.n)
	for n, k := range o.kinds {
		names = append(names, fmt.Sprintf("%q (%s)", n, k))
	}
	slices.Sort(names)
	rest := ""
	if len(names) > listed {
		rest = fmt.Sprintf(" and %d more", len(names)-listed)
		names = names[:listed]
	}
	hint := "."
	if near := o.nearest(name); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("%s %q: %w%s There are: %s%s", kind, name, ErrNotFound, hint, strings.Join(names, ", "), rest)
}

// nearest finds the name that a typing error may have meant, "" if none is near.
func (o others) nearest(name string) string {
	if len(name) > searchable {
		return ""
	}
	best, least := "", len(name)/3+2
	for n := range o.kinds {
		if len(n) > searchable {
			continue
		}
		if d := distance(name, n); d < least || d == least && best != "" && n < best {
			best, least = n, d
		}
	}
	return best
}

// distance is how many letters have to be changed, added, taken away, or swapped
// with their neighbour.
func distance(a, b string) int {
	var rows [3][searchable + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
