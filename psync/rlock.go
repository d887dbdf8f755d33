package psync

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
)

// RLock is a lock that its holder may acquire again, and releases as often;
// Python's RLock. Its methods may be called by any number of goroutines.
type RLock struct {
	label
	b LockBackend
}

// NewRLock returns a lock in the memory of this process.
func NewRLock(opts ...Option) *RLock {
	return OverRLock(local.Lock{L: broker.NewLock(nameOf(opts), true)}, opts...)
}

// OverRLock returns the lock that b serves.
func OverRLock(b LockBackend, opts ...Option) *RLock {
	return &RLock{label{"rlock", nameOf(opts)}, b}
}

// Acquire takes the lock for the owner of ctx, once more if it holds it, and blocks
// while somebody else does. An error means that nothing has changed: the context's,
// if it ended first, ErrNoOwner, or a *DeadlockError.
func (l *RLock) Acquire(ctx context.Context) (Held, error) { return l.hold(ctx, l.b, l, true) }

// TryAcquire is Acquire that does not wait: ErrWouldBlock instead; Python's
// acquire(blocking=False).
func (l *RLock) TryAcquire(ctx context.Context) (Held, error) { return l.hold(ctx, l.b, l, false) }

// Release undoes one Acquire. After the last one the lock goes to who has waited
// longest. ErrNotOwner says that somebody else holds it, ErrNotLocked that nobody
// does. It does not wait for anything, and works though ctx has ended.
func (l *RLock) Release(ctx context.Context) error {
	if err := l.made("release"); err != nil {
		return err
	}
	return l.ended("release", l.b.Release(ctx))
}

// Do calls f with the lock held, as Lock.Do does.
func (l *RLock) Do(ctx context.Context, f func() error) error {
	held, err := l.Acquire(ctx)
	if err != nil {
		return err
	}
	return held.run(f)
}

func (l *RLock) backend() LockBackend { return l.b }
