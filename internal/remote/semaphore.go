package remote

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
	"github.com/feac4032/multiproc/internal/owner"
)

// Semaphore has permits.
type Semaphore struct{ ref Ref }

// NewSemaphore returns the proxy of a semaphore.
func NewSemaphore(r Ref) *Semaphore { return &Semaphore{r} }

// Ref is what travels in its place.
func (s *Semaphore) Ref() Ref { return s.ref }

// Acquire takes a permit, for the context's owner unless it is detached.
func (s *Semaphore) Acquire(ctx context.Context, wait, detached bool) (*owner.Abandoned, error) {
	if obj, ok, err := here[*broker.Semaphore](s.ref.ID); ok {
		return local.Semaphore{S: obj}.Acquire(ctx, wait, detached)
	} else if err != nil {
		return nil, err
	}
	c, k, a, err := on(ctx, s.ref.ID, 4)
	if err != nil {
		return nil, err
	}
	if a == nil && !detached {
		c.recycle(k)
		return nil, broker.ErrNoOwner
	}
	k.out = appendBool(appendBool(k.out, wait), detached)
	left, err := c.acquired(ctx, k, a, s.ref.ID, opSemaphoreAcquire)
	if err == nil && !detached {
		a.gained(s.ref.ID)
	}
	return left, err
}

// Release gives a permit back: the owner's own, or else one more.
func (s *Semaphore) Release(ctx context.Context) error {
	if obj, ok, err := here[*broker.Semaphore](s.ref.ID); ok {
		return local.Semaphore{S: obj}.Release(ctx)
	} else if err != nil {
		return err
	}
	return giveBack(ctx, s.ref.ID, opSemaphoreRelease)
}

// Value is how many permits there are to take.
func (s *Semaphore) Value(ctx context.Context) (int, error) {
	if obj, ok, err := here[*broker.Semaphore](s.ref.ID); ok {
		return local.Semaphore{S: obj}.Value(ctx)
	} else if err != nil {
		return 0, err
	}
	c, k, _, err := on(ctx, s.ref.ID, 2)
	if err != nil {
		return 0, err
	}
	if err := c.roundTrip(ctx, k, opSemaphoreValue); err != nil {
		return 0, err
	}
	n := k.in.int()
	return n, c.end(k)
}
