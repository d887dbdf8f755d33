package broker

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/feac4032/multiproc/internal/owner"
)

// Lock is a lock that one owner at a time holds; Python's Lock, and its RLock if
// it is recursive: then its holder may acquire it again, and has to release it as
// often.
//
// Whoever waits for what the other one holds, in a circle of any length, is found
// out: see [owner.DeadlockError]. A plain Lock that its own holder acquires again
// is the smallest circle.
type Lock struct {
	name      string
	recursive bool

	// holder is written under mu. The search for deadlocks reads it without.
	holder atomic.Pointer[owner.Owner]
	// signal is whether somebody else than the holder has ever released it. It is
	// no lock then but a signal: its holder does not say who will release it.
	signal atomic.Bool

	mu      sync.Mutex
	depth   int // how often the holder has acquired it; 0 = it is free
	line    line
	left    *owner.Abandoned // its holder ended; for the next one to know
	thefts  []*theft         // whom it was taken from, and who do not know that yet
	waited  []*Condition     // that have waiters
	removed error
}

// theft is a release by somebody else than the holder, until that one knows.
type theft struct {
	lock *Lock
	from *owner.Owner
}

// NewLock makes a lock that is free.
func NewLock(name string, recursive bool) *Lock {
	return &Lock{name: name, recursive: recursive}
}

// Name is the name that it was made with.
func (l *Lock) Name() string { return l.name }

// Resource implements owner.Resource.
func (l *Lock) Resource() string {
	if l.recursive {
		return "recursive lock " + strconv.Quote(l.name)
	}
	return "lock " + strconv.Quote(l.name)
}

// Holder implements owner.Resource: it returns who holds the lock, nil if nobody
// does, or if it has become a signal.
func (l *Lock) Holder() *owner.Owner {
	if l.signal.Load() {
		return nil
	}
	return l.holder.Load()
}

// Acquire asks for the lock. The ticket's Abandoned is set when whoever held it
// last has ended without releasing it. Errors: ErrNoOwner, ErrEnded, what Remove
// gave, and *owner.DeadlockError if the wait would never end. The latter may also
// come after the wait has begun: if a condition's wait, which must get its lock,
// closes a circle.
func (l *Lock) Acquire(t *Ticket) {
	var out settlements
	l.mu.Lock()
	l.request(t, &out)
	l.mu.Unlock()
	out.run()
}

func (l *Lock) request(t *Ticket, out *settlements) {
	left, err := l.try(t.Owner)
	if err != ErrWouldBlock {
		t.Abandoned = left
		out.settle(t, err)
		return
	}
	if !t.enter(l, &l.mu, out) {
		return
	}
	if err := t.Owner.WaitAs(t, l); err != nil {
		t.leave()
		out.settle(t, err)
		return
	}
	l.line.push(t)
}

// TryAcquire acquires the lock if it need not wait for it, and never overtakes who
// waits. Otherwise the error is ErrWouldBlock, also if o itself holds a lock that
// is not recursive.
func (l *Lock) TryAcquire(o *owner.Owner) (*owner.Abandoned, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.try(o)
}

func (l *Lock) try(o *owner.Owner) (*owner.Abandoned, error) {
	switch {
	case l.removed != nil:
		return nil, l.removed
	case o == nil:
		return nil, ErrNoOwner
	case l.depth == 0: // nobody waits for a free lock
		if !o.Enter(l) {
			return nil, ErrEnded
		}
		return l.hold(o, 1), nil
	case l.recursive && l.holder.Load() == o:
		l.depth++
		return nil, nil
	}
	return nil, ErrWouldBlock
}

// hold gives the free lock to o, which has entered it.
func (l *Lock) hold(o *owner.Owner, depth int) *owner.Abandoned {
	l.settleTheft(o)
	l.holder.Store(o)
	l.depth = depth
	left := l.left
	l.left = nil
	return left
}

// Release gives the lock, or one of the acquisitions of a recursive one, back. A
// Lock may be released by anybody, as in Python, also by nobody in particular: o
// may be nil. Then stranger is true, and:
//
//   - the lock is a signal from now on and takes no part in the search for
//     deadlocks any more, since its holder does not say who will release it;
//   - whoever held it is told by ErrTakenAway from its own Release, which does
//     nothing else: it must not release what has become somebody else's. Acquiring
//     the lock again shows that it knows, and settles the matter too.
//
// A recursive lock is released by its holder only: ErrNotOwner. A lock that is
// free: ErrNotLocked. What is held can be released after Remove as well. An owner
// that has ended takes nothing away from others: ErrEnded.
func (l *Lock) Release(o *owner.Owner) (stranger bool, err error) {
	var out settlements
	l.mu.Lock()
	stranger, err = l.release(o, &out)
	l.mu.Unlock()
	out.run()
	return stranger, err
}

func (l *Lock) release(o *owner.Owner, out *settlements) (stranger bool, err error) {
	holder := l.holder.Load()
	switch {
	case holder != o && l.settleTheft(o):
		return false, ErrTakenAway
	case l.depth == 0 && l.removed != nil:
		return false, l.removed
	case l.depth == 0:
		return false, orEnded(o, ErrNotLocked)
	case holder == o && l.depth > 1:
		l.depth--
		return false, nil
	case holder == o:
		o.Leave(l)
	case l.recursive:
		return false, orEnded(o, ErrNotOwner)
	case o != nil && o.Ended():
		return false, ErrEnded // it may mean what it had, which is somebody else's now
	default:
		l.signal.Store(true)
		l.steal(holder)
		stranger = true
	}
	l.free(out)
	return stranger, nil
}

// steal takes the lock out of the hands of its holder, and remembers it.
func (l *Lock) steal(holder *owner.Owner) {
	x := &theft{l, holder}
	if holder.Exchange(l, x) {
		l.thefts = append(l.thefts, x)
	}
}

// settleTheft forgets that the lock was taken from o, who knows it now, and
// reports whether it was.
func (l *Lock) settleTheft(o *owner.Owner) bool {
	for i, x := range l.thefts {
		if x.from == o {
			o.Leave(x)
			l.thefts = slices.Delete(l.thefts, i, i+1)
			return true
		}
	}
	return false
}

// OwnerEnded implements owner.Party: there is nobody left to tell.
func (x *theft) OwnerEnded(o *owner.Owner) {
	x.lock.mu.Lock()
	x.lock.settleTheft(o)
	x.lock.mu.Unlock()
}

// free takes the lock from its holder, which has left it, and gives it to who has
// waited longest.
func (l *Lock) free(out *settlements) {
	l.holder.Store(nil)
	l.depth = 0
	l.grant(out)
}

// grant gives the lock, if it is free, to who has waited longest.
func (l *Lock) grant(out *settlements) {
	for l.depth == 0 && !l.line.empty() {
		t := l.line.head
		l.line.remove(t)
		t.Owner.Unwait(l)
		if !t.become(l) {
			l.dropped(t, ErrEnded, out)
			continue
		}
		t.Abandoned = l.hold(t.Owner, max(t.depth, 1))
		out.settle(t, t.outcome)
	}
}

// dropped settles a ticket that will not get the lock. If it was a condition's
// wait that had been notified, another one is notified in its place.
func (l *Lock) dropped(t *Ticket, err error, out *settlements) {
	out.settle(t, err)
	if t.notified != nil {
		t.notified.pass(out)
	}
}

// regain lets the wait of a condition, which has entered, take the lock again. It
// cannot be refused. The caller calls grant when it has moved all that it wants to.
func (l *Lock) regain(t *Ticket, out *settlements) {
	t.at = l
	if l.recursive && l.holder.Load() == t.Owner {
		// Goroutines that share an owner: what the one holds, the other holds too.
		t.leave()
		l.depth += t.depth
		out.settle(t, t.outcome)
		return
	}
	out.refuse(t.Owner.WaitAnyway(l))
	l.line.push(t)
}

// withdraw implements station. The wait of a condition has to have its lock again
// before it ends, so that only the end of its owner can withdraw it.
func (l *Lock) withdraw(t *Ticket, cause error, out *settlements) {
	if t.Owner.Ended() {
		cause = ErrEnded
	} else if t.depth > 0 {
		return
	}
	l.line.remove(t)
	t.Owner.Unwait(l)
	t.leave()
	l.dropped(t, cause, out)
}

// OwnerEnded implements owner.Party: the lock goes to the next one, who is told.
func (l *Lock) OwnerEnded(o *owner.Owner) {
	var out settlements
	l.mu.Lock()
	if l.holder.Load() == o {
		l.left = o.Abandoned()
		l.free(&out)
	}
	l.mu.Unlock()
	out.run()
}

// Remove ends the lock: all who wait get cause, and so does every later request
// but the holder's Release. So do all who wait for a condition over it, in place
// of the lock.
func (l *Lock) Remove(cause error) {
	var out settlements
	l.mu.Lock()
	if l.removed == nil {
		l.removed = cause
	}
	for !l.line.empty() {
		t := l.line.head
		l.line.remove(t)
		t.Owner.Unwait(l)
		t.leave()
		out.settle(t, l.removed)
	}
	for len(l.waited) > 0 {
		c := l.waited[0]
		c.resume(c.line.head, nil, &out)
	}
	l.mu.Unlock()
	out.run()
}
