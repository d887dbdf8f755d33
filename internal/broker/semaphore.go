package broker

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/feac4032/multiproc/internal/owner"
)

// Semaphore hands out permits; Python's Semaphore, and its BoundedSemaphore if it
// is bounded. It knows who has how many: the permits of an owner that ends are
// given back, and whoever gets one of them is told. Detached permits are nobody's,
// and stay out until somebody releases them.
type Semaphore struct {
	name    string
	bounded bool

	mu      sync.Mutex
	value   int // permits to be had; not 0 only while nobody waits
	line    line
	out     []permits // who has had one for longest first
	left    []legacy  // of the permits in value; the oldest first
	removed error
}

// permits are those of one owner. In a bounded semaphore the owner nil stands for
// all that are detached; in another one those are not counted, since nothing
// depends on them.
type permits struct {
	owner *owner.Owner
	n     int
}

// legacy are the permits that one owner has left behind.
type legacy struct {
	from *owner.Abandoned
	n    int
}

// NewSemaphore makes a semaphore with n permits, which must not be negative. A
// bounded one never has more.
func NewSemaphore(name string, n int, bounded bool) (*Semaphore, error) {
	if n < 0 {
		return nil, fmt.Errorf("%d permits, at least 0 are wanted: %w", n, ErrRange)
	}
	return &Semaphore{name: name, bounded: bounded, value: n}, nil
}

// Name is the name that it was made with.
func (s *Semaphore) Name() string { return s.name }

// Resource is what messages call it.
func (s *Semaphore) Resource() string { return "semaphore " + strconv.Quote(s.name) }

// Value is how many permits there are to be had now.
func (s *Semaphore) Value() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}

// Acquire asks for a permit, which will be the owner's, or nobody's if it is
// detached; that needs no owner. The ticket's Abandoned is set when the permit is
// one that an owner has left behind. Errors: ErrNoOwner, ErrEnded, what Remove gave.
func (s *Semaphore) Acquire(t *Ticket, detached bool) {
	var out settlements
	s.mu.Lock()
	left, err := s.try(t.Owner, detached)
	switch {
	case err != ErrWouldBlock:
		t.Abandoned = left
		out.settle(t, err)
	case t.enter(s, &s.mu, &out):
		t.detached = detached
		s.line.push(t)
	}
	s.mu.Unlock()
	out.run()
}

// TryAcquire takes a permit if there is one. Otherwise the error is ErrWouldBlock.
func (s *Semaphore) TryAcquire(o *owner.Owner, detached bool) (*owner.Abandoned, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.try(o, detached)
}

func (s *Semaphore) try(o *owner.Owner, detached bool) (*owner.Abandoned, error) {
	switch {
	case s.removed != nil:
		return nil, s.removed
	case o == nil && !detached:
		return nil, ErrNoOwner
	case s.value == 0:
		return nil, ErrWouldBlock
	case detached:
		o = nil
	case !o.Enter(s):
		return nil, ErrEnded
	}
	s.value--
	s.note(o)
	return s.inherit(), nil
}

// note counts a permit that o has got.
func (s *Semaphore) note(o *owner.Owner) {
	if o == nil && !s.bounded {
		return
	}
	if i := s.find(o); i >= 0 {
		s.out[i].n++
		return
	}
	s.out = append(s.out, permits{o, 1})
}

func (s *Semaphore) find(o *owner.Owner) int {
	return slices.IndexFunc(s.out, func(p permits) bool { return p.owner == o })
}

// inherit returns who left the permit behind that is taken now, if anybody did.
func (s *Semaphore) inherit() *owner.Abandoned {
	if len(s.left) == 0 {
		return nil
	}
	from := s.left[0].from
	if s.left[0].n--; s.left[0].n == 0 {
		s.left = slices.Delete(s.left, 0, 1)
	}
	return from
}

// Release gives a permit back: one of o's own, if it has any. Otherwise, and if o
// is nil, there is one permit more than before; but a bounded semaphore takes it
// for one of those that whoever has had one for longest still has, and if all are
// back the error is ErrReleasedTooOften. An owner that has ended has none, and adds
// none: ErrEnded.
func (s *Semaphore) Release(o *owner.Owner) error {
	var out settlements
	s.mu.Lock()
	err := s.release(o, &out)
	s.mu.Unlock()
	out.run()
	return err
}

func (s *Semaphore) release(o *owner.Owner, out *settlements) error {
	own := -1
	if o != nil {
		own = s.find(o)
	}
	switch {
	case own >= 0:
		s.repay(own)
	case o != nil && o.Ended():
		return ErrEnded // its permits are back already
	case s.removed != nil:
		return s.removed
	case s.bounded && len(s.out) == 0:
		return ErrReleasedTooOften
	case s.bounded:
		s.repay(0)
	}
	s.give(nil, out)
	return nil
}

// repay takes one permit from the owner at i.
func (s *Semaphore) repay(i int) {
	s.out[i].owner.Leave(s)
	if s.out[i].n--; s.out[i].n == 0 {
		s.out = slices.Delete(s.out, i, i+1)
	}
}

// give gives a permit, which from has left behind if it is not nil, to who has
// waited longest.
func (s *Semaphore) give(from *owner.Abandoned, out *settlements) {
	for !s.line.empty() {
		t := s.line.head
		s.line.remove(t)
		o, granted := t.Owner, false
		if t.detached {
			o, granted = nil, t.leave()
		} else {
			granted = t.become(s)
		}
		if !granted {
			out.settle(t, ErrEnded)
			continue
		}
		s.note(o)
		t.Abandoned = from
		out.settle(t, nil)
		return
	}
	s.value++
	if from == nil {
		return
	}
	if last := len(s.left) - 1; last >= 0 && s.left[last].from == from {
		s.left[last].n++
		return
	}
	s.left = append(s.left, legacy{from, 1})
}

// withdraw implements station.
func (s *Semaphore) withdraw(t *Ticket, cause error, out *settlements) {
	s.line.remove(t)
	t.leave()
	out.settle(t, cause)
}

// OwnerEnded implements owner.Party: the permits of the owner are given back.
func (s *Semaphore) OwnerEnded(o *owner.Owner) {
	var out settlements
	s.mu.Lock()
	if i := s.find(o); i >= 0 {
		n := s.out[i].n
		s.out = slices.Delete(s.out, i, i+1)
		from := o.Abandoned()
		for range n {
			s.give(from, &out)
		}
	}
	s.mu.Unlock()
	out.run()
}

// Remove ends the semaphore: all who wait get cause, and so does every later
// request but the Release of a permit that the caller has.
func (s *Semaphore) Remove(cause error) {
	var out settlements
	s.mu.Lock()
	if s.removed == nil {
		s.removed = cause
	}
	s.line.settleAll(s.removed, &out)
	s.mu.Unlock()
	out.run()
}
