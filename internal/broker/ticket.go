package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/feac4032/multiproc/internal/owner"
)

// Ticket is one request that may have to wait. Whoever asks fills in the first
// two fields and hands it to one object, once.
type Ticket struct {
	// Owner is who asks; nil = nobody that can hold anything. The end of an owner
	// withdraws its tickets.
	Owner *owner.Owner

	// Settled is called exactly once, when what follows is final: maybe before the
	// request has returned, from whatever goroutine, with no lock held. It must not
	// block.
	Settled func(*Ticket)

	// Err is nil if the request was granted. A condition's wait that had begun
	// holds the lock again whatever Err is, unless it is ErrEnded, or the lock was
	// removed.
	Err       error
	Abandoned *owner.Abandoned // who held it before and ended without giving it back
	Item      []byte           // of a get
	Lease     uint64           // of a lease
	Delivery  int              // of a lease: how often the item was handed out, this time included
	Index     int              // of a barrier's wait

	place // in the line in which it waits

	mu *sync.Mutex // of the object that it was handed to
	at station     // where it waits; nil before and after; guarded by mu

	detached bool       // of a semaphore: the permit is to be nobody's
	depth    int        // of a condition's wait: how often the lock is to be held again; 0 = not one
	outcome  error      // of a condition's wait that takes its lock again
	notified *Condition // that has notified it; nil = it was not, or is no such wait
}

// station is where tickets wait.
type station interface {
	// withdraw takes a waiting ticket out of its line, and settles it with cause,
	// now or when it can be. The ticket's mutex is held.
	withdraw(t *Ticket, cause error, out *settlements)
}

// enter lets a ticket wait at s. It reports false, having settled the ticket,
// when its owner has ended. The mutex of s is held.
func (t *Ticket) enter(s station, mu *sync.Mutex, out *settlements) bool {
	t.mu = mu
	if !t.Owner.Enter(t) {
		out.settle(t, ErrEnded)
		return false
	}
	t.at = s
	return true
}

// leave ends the waiting of a ticket; its line was left before. It reports false
// when its owner has ended.
func (t *Ticket) leave() bool {
	t.at = nil
	return t.Owner.Leave(t)
}

// become is leave for a ticket that is granted: from now on its owner has something
// of p. It reports false when the owner has ended: then nothing must be granted.
func (t *Ticket) become(p owner.Party) bool {
	t.at = nil
	return t.Owner.Exchange(t, p)
}

// Cancel withdraws a ticket that still waits: it is settled with cause. One that
// was settled stays as it is. It is not called before the request has returned.
func (t *Ticket) Cancel(cause error) {
	if t.mu == nil {
		return // it never had to wait
	}
	var out settlements
	t.mu.Lock()
	if t.at != nil {
		t.at.withdraw(t, cause, &out)
	}
	t.mu.Unlock()
	out.run()
}

// OwnerEnded implements owner.Party: the wait of an owner that has ended is
// withdrawn.
func (t *Ticket) OwnerEnded(*owner.Owner) { t.Cancel(ErrEnded) }

// Refuse implements owner.Waiter.
func (t *Ticket) Refuse(err *owner.DeadlockError) { t.Cancel(err) }

// settlements are tickets that became final while a mutex was held, to be told
// when it is not. They are chained by the places that they had in their lines, so
// that to tell thousands costs no memory either.
type settlements struct {
	first, last *Ticket
	refused     []refusal
}

// refusal is a wait, mostly for another object, that has to give way.
type refusal struct {
	waiter owner.Waiter
	err    *owner.DeadlockError
}

// refuse takes what owner.WaitAnyway returns.
func (s *settlements) refuse(w owner.Waiter, err *owner.DeadlockError) {
	if w != nil {
		s.refused = append(s.refused, refusal{w, err})
	}
}

// settle makes a ticket final. It is in no line any more.
func (s *settlements) settle(t *Ticket, err error) {
	t.Err = err
	if s.last != nil {
		s.last.next = t
	} else {
		s.first = t
	}
	s.last = t
}

// run tells those who wait, in the order in which they were settled, and then
// those that have to give way.
func (s *settlements) run() {
	for t := s.first; t != nil; {
		next := t.next
		t.next = nil
		t.Settled(t) // and now it is theirs
		t = next
	}
	for _, r := range s.refused {
		r.waiter.Refuse(r.err)
	}
}

// Await hands t to request and blocks until it is settled. When ctx ends first it
// is withdrawn; if the grant came before that, the request has succeeded.
func Await(ctx context.Context, t *Ticket, request func(*Ticket)) error {
	settled := make(chan struct{}, 1)
	t.Settled = func(*Ticket) { settled <- struct{}{} }
	request(t)
	select {
	case <-settled:
		return t.Err
	default:
	}
	select {
	case <-settled:
	case <-ctx.Done():
		t.Cancel(Ended(ctx))
		<-settled
	}
	return t.Err
}

// Ended is the error of a call whose context has ended: the context's own, and
// the cause if it has another one.
func Ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
