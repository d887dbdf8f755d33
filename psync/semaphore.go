package psync

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
)

// Semaphore is a number of permits; Python's Semaphore. Its methods may be called
// by any number of goroutines.
type Semaphore struct {
	label
	b SemaphoreBackend
}

// NewSemaphore returns a semaphore in the memory of this process, with n free
// permits. A negative n is ErrRange.
func NewSemaphore(n int, opts ...Option) (*Semaphore, error) {
	b, err := newSemaphore(n, false, opts)
	s := OverSemaphore(b, opts...)
	if err != nil {
		return nil, s.failed("new", err)
	}
	return s, nil
}

func newSemaphore(n int, bounded bool, opts []Option) (SemaphoreBackend, error) {
	s, err := broker.NewSemaphore(nameOf(opts), n, bounded)
	return local.Semaphore{S: s}, err
}

// OverSemaphore returns the semaphore that b serves.
func OverSemaphore(b SemaphoreBackend, opts ...Option) *Semaphore {
	return &Semaphore{label{"semaphore", nameOf(opts)}, b}
}

// Acquire takes a permit for the owner of ctx, and blocks while none is free. The
// owner's end gives it back. An error means that it has none: the context's, if it
// ended first, or ErrNoOwner.
func (s *Semaphore) Acquire(ctx context.Context) (Held, error) { return s.hold(ctx, true) }

// TryAcquire is Acquire that does not wait: ErrWouldBlock instead.
func (s *Semaphore) TryAcquire(ctx context.Context) (Held, error) { return s.hold(ctx, false) }

func (s *Semaphore) hold(ctx context.Context, wait bool) (Held, error) {
	abandoned, err := s.acquire(ctx, acquiring(wait), wait, false)
	if err != nil {
		return Held{}, err
	}
	return Held{Abandoned: abandoned, ctx: ctx, of: s}, nil
}

// AcquireDetached takes a permit that belongs to nobody: it needs no owner, and
// nobody's end gives it back. It is for semaphores used as counters, where one
// party acquires what another one releases.
func (s *Semaphore) AcquireDetached(ctx context.Context) error {
	_, err := s.acquire(ctx, "acquire detached", true, true)
	return err
}

// TryAcquireDetached is AcquireDetached that does not wait: ErrWouldBlock instead.
func (s *Semaphore) TryAcquireDetached(ctx context.Context) error {
	_, err := s.acquire(ctx, "try acquire detached", false, true)
	return err
}

func (s *Semaphore) acquire(ctx context.Context, op string, wait, detached bool) (*Abandoned, error) {
	if err := s.begin(ctx, op); err != nil {
		return nil, err
	}
	abandoned, err := s.b.Acquire(ctx, wait, detached)
	return abandoned, s.ended(op, err)
}

// Release gives a permit back, to who has waited longest. It is the caller's own
// one, if its owner has any; else one is added, which a BoundedSemaphore takes as
// the return of the permit that has been out longest. The release of an own permit
// works though ctx has ended.
func (s *Semaphore) Release(ctx context.Context) error {
	if err := s.made("release"); err != nil {
		return err
	}
	return s.ended("release", s.b.Release(ctx))
}

// Value returns the number of free permits.
func (s *Semaphore) Value(ctx context.Context) (int, error) {
	if err := s.begin(ctx, "value"); err != nil {
		return 0, err
	}
	n, err := s.b.Value(ctx)
	return n, s.ended("value", err)
}

// Do calls f with a permit, as Lock.Do does.
func (s *Semaphore) Do(ctx context.Context, f func() error) error {
	held, err := s.Acquire(ctx)
	if err != nil {
		return err
	}
	return held.run(f)
}

// BoundedSemaphore is a Semaphore that never has more free permits than it was made
// with: a Release beyond that is ErrReleasedTooOften, and changes nothing; Python's
// BoundedSemaphore.
type BoundedSemaphore struct{ Semaphore }

// NewBoundedSemaphore returns a semaphore in the memory of this process, with n
// permits. A negative n is ErrRange.
func NewBoundedSemaphore(n int, opts ...Option) (*BoundedSemaphore, error) {
	b, err := newSemaphore(n, true, opts)
	s := OverBoundedSemaphore(b, opts...)
	if err != nil {
		return nil, s.failed("new", err)
	}
	return s, nil
}

// OverBoundedSemaphore returns the semaphore that b serves.
func OverBoundedSemaphore(b SemaphoreBackend, opts ...Option) *BoundedSemaphore {
	return &BoundedSemaphore{Semaphore{label{"bounded semaphore", nameOf(opts)}, b}}
}
