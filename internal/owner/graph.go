package owner

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Resource is what one owner at a time holds and others wait for: a lock, or the
// end of a thread or process that is joined.
type Resource interface {
	// Resource is what messages call it, such as `lock "db"`.
	Resource() string
	// Holder returns who has it, nil if nobody has, or if that does not say who
	// will give it back. It takes no lock.
	Holder() *Owner
}

// graph guards the waits of all owners. It is taken only by those who have to
// wait and those who end a wait; a search reads holders without it, which is
// right: an owner that waits gives nothing back meanwhile, and one that does not
// wait ends the search.
var graph sync.Mutex

// ErrDeadlock is what every *DeadlockError is.
var ErrDeadlock = errors.New("deadlock")

// DeadlockError says that a wait would never end: it would close a cycle of owners
// each of which waits for what the next one holds.
type DeadlockError struct {
	Cycle []Edge // the first is the wait that was refused
}

// Edge is one wait of a cycle.
type Edge struct {
	Waiter   Identity
	Resource string // what it waits for
	Holder   Identity
}

func (e *DeadlockError) Error() string {
	var b strings.Builder
	b.WriteString(ErrDeadlock.Error())
	for i, w := range e.Cycle {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%v waits for %s, held by %v", sep, w.Waiter, w.Resource, w.Holder)
	}
	return b.String()
}

// Is reports that it is ErrDeadlock.
func (e *DeadlockError) Is(target error) bool { return target == ErrDeadlock }

// Wait notes that o waits for r, and has to be followed by Unwait. A wait that
// would close a cycle is not noted: the error is a *DeadlockError.
func (o *Owner) Wait(r Resource) error {
	if o == nil {
		return nil
	}
	graph.Lock()
	defer graph.Unlock()
	if cycle := search(o, r); cycle != nil {
		return &DeadlockError{Cycle: cycle}
	}
	o.waits = append(o.waits, r)
	return nil
}

// Unwait ends a wait. It must come before r is given to o, so that nobody is seen
// to wait for what it holds.
func (o *Owner) Unwait(r Resource) {
	if o == nil {
		return
	}
	graph.Lock()
	defer graph.Unlock()
	for i, w := range o.waits {
		if w == r {
			o.waits = append(o.waits[:i], o.waits[i+1:]...)
			return
		}
	}
}

// search follows holders and their waits from r, and returns the way back to o.
func search(o *Owner, r Resource) []Edge {
	type step struct {
		from *step
		who  *Owner
		what Resource
	}
	seen := map[*Owner]bool{}
	next := []*step{{who: o, what: r}}
	for len(next) > 0 {
		s := next[len(next)-1]
		next = next[:len(next)-1]
		h := s.what.Holder()
		if h == nil {
			continue
		}
		if h == o {
			var cycle []Edge
			for holder := h; s != nil; s = s.from {
				cycle = append(cycle, Edge{s.who.who, s.what.Resource(), holder.who})
				holder = s.who
			}
			for i, j := 0, len(cycle)-1; i < j; i, j = i+1, j-1 {
				cycle[i], cycle[j] = cycle[j], cycle[i]
			}
			return cycle
		}
		if seen[h] {
			continue
		}
		seen[h] = true
		for _, w := range h.waits {
			next = append(next, &step{s, h, w})
		}
	}
	return nil
}
