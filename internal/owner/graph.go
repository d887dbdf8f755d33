package owner

import (
	"errors"
	"fmt"
	"slices"
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

// Waiter is a wait that can be refused although it has begun.
type Waiter interface {
	// Refuse ends the wait with err, if it still goes on. It may take the locks of
	// what is waited for.
	Refuse(err *DeadlockError)
}

// Refusal is the Waiter of who waits in a select. It has room for one error.
type Refusal chan *DeadlockError

// Refuse implements Waiter. A wait ends once, whoever else wants it to.
func (r Refusal) Refuse(err *DeadlockError) {
	select {
	case r <- err:
	default:
	}
}

// graph guards the waits of all owners. It is taken only by those who have to
// wait and those who end a wait, under the lock of the object that they wait for;
// nothing but an owner's own lock is taken under it. A search reads holders
// without their objects' locks, which is right: an owner that waits gives nothing
// back meanwhile, and one that does not wait ends the search.
//
// That reasoning takes an owner for one flow of control. If goroutines share one,
// a cycle may be found although another goroutine of an owner in it could have
// given something back, and a cycle that a hand-over closes is not found.
var graph sync.Mutex

// searches counts them; trail is the way of the one that goes on. Both are
// guarded by graph.
var (
	searches uint64
	trail    []step
)

type wait struct {
	on     Resource
	waiter Waiter // nil = cannot be refused any more
}

// step is one wait on the way of a search: who waits for what, and the place in
// the trail of the wait that led to it.
type step struct {
	who  *Owner
	wait wait
	from int
}

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
		if len(e.Cycle) == 1 {
			fmt.Fprintf(&b, "%s%v waits for %s, held by itself", sep, w.Waiter, w.Resource)
			continue
		}
		fmt.Fprintf(&b, "%s%v waits for %s, held by %v", sep, w.Waiter, w.Resource, w.Holder)
	}
	return b.String()
}

// Is reports that it is ErrDeadlock.
func (e *DeadlockError) Is(target error) bool { return target == ErrDeadlock }

// Wait notes that o waits for r, and has to be followed by Unwait. A wait that
// would close a cycle is not noted: the error is a *DeadlockError. Once noted it
// cannot be refused.
func (o *Owner) Wait(r Resource) error { return o.WaitAs(nil, r) }

// WaitAs is Wait for a wait that can be refused later, through w, when another
// one that closes a cycle cannot. Refuse is called by whoever has closed it.
func (o *Owner) WaitAs(w Waiter, r Resource) error {
	if o == nil {
		return nil
	}
	graph.Lock()
	defer graph.Unlock()
	if cycle := search(o, r); cycle != nil {
		return &DeadlockError{Cycle: edges(cycle)}
	}
	o.waits = append(o.waits, wait{r, w})
	return nil
}

// WaitAnyway notes that o waits for r even if that closes a cycle, because o must
// have r before it can be told anything: so it is when the wait of a condition
// takes its lock again. If there is a cycle, somebody else in it has to give way:
// the caller calls Refuse of the returned waiter, with the error, when it holds no
// lock any more. It is the wait nearest to o in the cycle that can be refused; nil
// if there is no cycle, or none such in it.
func (o *Owner) WaitAnyway(r Resource) (Waiter, *DeadlockError) {
	if o == nil {
		return nil, nil
	}
	graph.Lock()
	defer graph.Unlock()
	cycle := search(o, r)
	o.waits = append(o.waits, wait{on: r})
	for i, s := range cycle {
		if s.wait.waiter != nil {
			return s.wait.waiter, &DeadlockError{Cycle: edges(slices.Concat(cycle[i:], cycle[:i]))}
		}
	}
	return nil, nil
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
		if w.on == r {
			o.waits = slices.Delete(o.waits, i, i+1)
			return
		}
	}
}

// search follows holders and their waits from r on, and returns the way on which
// it came back to o, o's wait for r first; nil if it did not. An owner that has
// ended is about to give back what it has: nobody waits for it in vain.
func search(o *Owner, r Resource) []step {
	searches++
	trail = append(trail[:0], step{who: o, wait: wait{on: r}, from: -1})
	defer func() { clear(trail) }() // it keeps nobody alive
	for at := 0; at < len(trail); at++ {
		h := trail[at].wait.on.Holder()
		if h == nil || h.seen == searches {
			continue
		}
		if h == o {
			var way []step
			for ; at >= 0; at = trail[at].from {
				way = append(way, trail[at])
			}
			slices.Reverse(way)
			return way
		}
		h.seen = searches
		if len(h.waits) == 0 || h.Ended() {
			continue
		}
		for _, w := range h.waits {
			trail = append(trail, step{h, w, at})
		}
	}
	return nil
}

// edges describes a cycle of waits: each waits for what the next one holds.
func edges(cycle []step) []Edge {
	all := make([]Edge, len(cycle))
	for i, s := range cycle {
		all[i] = Edge{s.who.who, s.wait.on.Resource(), cycle[(i+1)%len(cycle)].who.who}
	}
	return all
}
