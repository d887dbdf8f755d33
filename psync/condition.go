package psync

import (
	"context"
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
)

// Condition lets those who hold its lock wait until others, who hold it later, have
// changed something and say so; Python's Condition. Its methods may be called by
// any number of goroutines.
type Condition struct {
	label
	b ConditionBackend
}

// Locker is what a Condition takes: a [*Lock] or an [*RLock].
type Locker interface {
	Acquire(ctx context.Context) (Held, error)
	TryAcquire(ctx context.Context) (Held, error)
	Release(ctx context.Context) error
	Do(ctx context.Context, f func() error) error
	backend() LockBackend
}

// NewCondition returns a condition in the memory of this process, with this lock,
// which several conditions may have; nil gives it an RLock of its own. A lock that
// is not in the memory of this process is ErrUnsupported.
func NewCondition(lock Locker, opts ...Option) (*Condition, error) {
	if lock == nil {
		lock = NewRLock(opts...)
	}
	l := label{"condition", nameOf(opts)}
	mine, ok := lock.backend().(local.Lock)
	switch {
	case lock.backend() == nil:
		return nil, l.failed("new", fmt.Errorf("its lock: %w", errZero))
	case !ok:
		return nil, l.failed("new", ErrUnsupported)
	}
	return OverCondition(local.Condition{Lock: mine, C: broker.NewCondition(nameOf(opts), mine.L)}, opts...), nil
}

// OverCondition returns the condition that b serves.
func OverCondition(b ConditionBackend, opts ...Option) *Condition {
	return &Condition{label{"condition", nameOf(opts)}, b}
}

// Acquire takes the condition's lock, as its own Acquire does.
func (c *Condition) Acquire(ctx context.Context) (Held, error) { return c.hold(ctx, c.b, c, true) }

// TryAcquire is Acquire that does not wait: ErrWouldBlock instead.
func (c *Condition) TryAcquire(ctx context.Context) (Held, error) {
	return c.hold(ctx, c.b, c, false)
}

// Release releases the condition's lock, as its own Release does.
func (c *Condition) Release(ctx context.Context) error {
	if err := c.made("release"); err != nil {
		return err
	}
	return c.ended("release", c.b.Release(ctx))
}

// Do calls f with the lock held, as Lock.Do does.
func (c *Condition) Do(ctx context.Context, f func() error) error {
	held, err := c.Acquire(ctx)
	if err != nil {
		return err
	}
	return held.run(f)
}

// Wait releases the lock, however often the caller holds it, blocks until it is
// notified, and takes the lock as often again. If the context ends before the
// notification, Wait takes the lock again too, however long that takes, and its
// error is the context's. So the lock is held after Wait, unless the error is
// ErrNotOwner or ErrNoOwner, because it was not held before, or ErrEnded, ErrLost
// or ErrRemoved, because nobody can hold it any more.
//
// Abandoned says who held the lock meanwhile and has ended without releasing it;
// nil if all released it. An owner that ends while it waits passes its notification
// on, but one that had the lock again already takes it along: who finds the lock
// abandoned, here or by [Held], makes sure by NotifyAll that nobody waits for that.
func (c *Condition) Wait(ctx context.Context) (*Abandoned, error) {
	if err := c.begin(ctx, "wait"); err != nil {
		return nil, err
	}
	abandoned, err := c.b.Wait(ctx)
	return abandoned, c.ended("wait", err)
}

// WaitFor waits until pred, which is called with the lock held, returns true; if it
// does at once, nothing else is asked, not even for the lock. A context that ends is
// an error only if pred returns false even then. The lock is held afterwards as it
// is after Wait; abandoned is the last one of the waits.
func (c *Condition) WaitFor(ctx context.Context, pred func() bool) (abandoned *Abandoned, err error) {
	for !pred() {
		last, err := c.Wait(ctx)
		if last != nil {
			abandoned = last
		}
		switch {
		case err == nil:
		case ctx.Err() != nil && errors.Is(err, ctx.Err()) && pred():
			return abandoned, nil
		default:
			return abandoned, err
		}
	}
	return abandoned, nil
}

// Notify wakes up to n of those who wait now, those who came first. It is not
// remembered for later ones. The caller must hold the lock, else it is
// ErrNotOwner; those who wake go on once it is released. A negative n is ErrRange.
func (c *Condition) Notify(ctx context.Context, n int) error {
	if n < 0 {
		return c.failed("notify", fmt.Errorf("%d waiters, NotifyAll wakes all: %w", n, ErrRange))
	}
	return c.notify(ctx, "notify", n)
}

// NotifyAll wakes all who wait now, as Notify does.
func (c *Condition) NotifyAll(ctx context.Context) error { return c.notify(ctx, "notify all", -1) }

func (c *Condition) notify(ctx context.Context, op string, n int) error {
	if err := c.begin(ctx, op); err != nil {
		return err
	}
	return c.ended(op, c.b.Notify(ctx, n))
}
