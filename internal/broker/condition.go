package broker

import (
	"slices"
	"strconv"

	"github.com/feac4032/multiproc/internal/owner"
)

// Condition lets owners that hold a lock wait for each other; Python's Condition.
// All that it has is guarded by the mutex of its lock, so that between the release
// of the lock and the begin of the wait there is nothing.
type Condition struct {
	name string
	lock *Lock

	line    line // who waits to be notified
	removed error
}

// NewCondition makes a condition over l, which other conditions may share.
func NewCondition(name string, l *Lock) *Condition { return &Condition{name: name, lock: l} }

// Name is the name that it was made with.
func (c *Condition) Name() string { return c.name }

// Resource is what messages call it.
func (c *Condition) Resource() string { return "condition " + strconv.Quote(c.name) }

// Lock is the lock that it was made with.
func (c *Condition) Lock() *Lock { return c.lock }

// Wait releases the lock, however often its owner has acquired it, waits to be
// notified, and takes the lock again, to the same depth. ErrNotOwner, at once, if
// the owner does not hold the lock.
//
// However the wait ends, the lock is held again when the ticket is settled: also
// with the cause of a Cancel, which only begins to take it again and can then not
// be cancelled itself. The two exceptions are ErrEnded, and the removal of the lock.
// If a wait that must have its lock again closes a circle of waits, it is another
// one in that circle that gets the *owner.DeadlockError.
func (c *Condition) Wait(t *Ticket) {
	var out settlements
	l := c.lock
	l.mu.Lock()
	switch {
	case t.Owner == nil:
		out.settle(t, ErrNoOwner)
	case c.removed != nil:
		out.settle(t, c.removed)
	case l.removed != nil:
		out.settle(t, l.removed)
	case l.holder.Load() != t.Owner:
		out.settle(t, orEnded(t.Owner, ErrNotOwner))
	case t.enter(c, &l.mu, &out):
		t.depth = l.depth
		c.push(t)
		t.Owner.Leave(l)
		l.free(&out)
	}
	l.mu.Unlock()
	out.run()
}

// push and remove also tell the lock whether there are waiters.
func (c *Condition) push(t *Ticket) {
	if c.line.empty() {
		c.lock.waited = append(c.lock.waited, c)
	}
	c.line.push(t)
}

func (c *Condition) remove(t *Ticket) {
	if c.line.remove(t); c.line.empty() {
		i := slices.Index(c.lock.waited, c)
		c.lock.waited = slices.Delete(c.lock.waited, i, i+1)
	}
}

// Notify lets up to n of those that wait now take the lock again, the one that has
// waited longest first; n < 0 = all of them. What there is no waiter for is not
// remembered. A waiter whose owner ends before it has the lock again passes its
// notification on. ErrNotOwner if o does not hold the lock.
func (c *Condition) Notify(o *owner.Owner, n int) error {
	var out settlements
	l := c.lock
	l.mu.Lock()
	err := c.notify(o, n, &out)
	l.mu.Unlock()
	out.run()
	return err
}

func (c *Condition) notify(o *owner.Owner, n int, out *settlements) error {
	switch {
	case o == nil:
		return ErrNoOwner
	case c.removed != nil:
		return c.removed
	case c.lock.holder.Load() != o:
		return orEnded(o, ErrNotOwner)
	}
	for ; n != 0 && !c.line.empty(); n-- {
		c.pass(out)
	}
	return nil
}

// pass notifies who has waited longest.
func (c *Condition) pass(out *settlements) {
	if t := c.line.head; t != nil {
		t.notified = c
		c.resume(t, nil, out)
	}
}

// resume ends the waiting to be notified.
func (c *Condition) resume(t *Ticket, outcome error, out *settlements) {
	c.remove(t)
	t.outcome = outcome
	if c.lock.removed != nil {
		t.leave()
		out.settle(t, c.lock.removed)
		return
	}
	c.lock.regain(t, out)
}

// withdraw implements station: a wait that is cancelled takes the lock again, one
// whose owner has ended is over.
func (c *Condition) withdraw(t *Ticket, cause error, out *settlements) {
	if t.Owner.Ended() {
		c.remove(t)
		t.leave()
		out.settle(t, ErrEnded)
		return
	}
	c.resume(t, cause, out)
	c.lock.grant(out)
}

// Remove ends the condition: all who wait take the lock again and get cause, and
// so does every later request. The lock goes on.
func (c *Condition) Remove(cause error) {
	var out settlements
	l := c.lock
	l.mu.Lock()
	if c.removed == nil {
		c.removed = cause
	}
	for !c.line.empty() {
		c.resume(c.line.head, c.removed, &out)
	}
	l.grant(&out)
	l.mu.Unlock()
	out.run()
}
