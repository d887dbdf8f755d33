package psync

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
)

// Lock is held by one owner at a time; Python's Lock. Its methods may be called by
// any number of goroutines.
type Lock struct {
	label
	b LockBackend
}

// NewLock returns a lock in the memory of this process.
func NewLock(opts ...Option) *Lock {
	return OverLock(local.Lock{L: broker.NewLock(nameOf(opts), false)}, opts...)
}

// OverLock returns the lock that b serves.
func OverLock(b LockBackend, opts ...Option) *Lock {
	return &Lock{label{"lock", nameOf(opts)}, b}
}

// Acquire takes the lock for the owner of ctx, and blocks while somebody holds it.
// An error means that it is not held: the context's, if it ended first, ErrNoOwner,
// or a *DeadlockError, which an owner that holds the lock already gets too.
func (l *Lock) Acquire(ctx context.Context) (Held, error) { return l.hold(ctx, l.b, l, true) }

// TryAcquire is Acquire that does not wait: ErrWouldBlock instead; Python's
// acquire(blocking=False).
func (l *Lock) TryAcquire(ctx context.Context) (Held, error) { return l.hold(ctx, l.b, l, false) }

// Release gives the lock to who has waited longest. Anyone may release it, as in
// Python. A holder whose lock somebody else has released gets ErrTakenAway: its own
// release does nothing then, and says so, or, since a holder's release does not
// wait for any answer, its next call of this lock does. ErrNotLocked says that
// nobody holds it. A holder's release works though ctx has ended.
//
// A lock that was ever released by another than its holder is a signal from then
// on: waits for it are not taken for deadlocks.
func (l *Lock) Release(ctx context.Context) error {
	if err := l.made("release"); err != nil {
		return err
	}
	return l.ended("release", l.b.Release(ctx))
}

// Do calls f with the lock held, and releases it also if f panics; Python's with
// statement. Its error is that of Acquire, in which case f was not called, or
// those of f and Release. Use Acquire where it matters whether the lock was
// abandoned.
func (l *Lock) Do(ctx context.Context, f func() error) error {
	held, err := l.Acquire(ctx)
	if err != nil {
		return err
	}
	return held.run(f)
}

func (l *Lock) backend() LockBackend { return l.b }
