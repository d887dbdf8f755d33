package local

import (
	"context"
	"errors"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// Semaphore takes and releases permits.
type Semaphore struct{ S *broker.Semaphore }

// Acquire takes a permit, for the owner of ctx or, detached, for nobody. With
// wait it blocks until it has one, or ctx ends; else the answer is ErrWouldBlock.
func (s Semaphore) Acquire(ctx context.Context, wait, detached bool) (*owner.Abandoned, error) {
	o := owner.From(ctx)
	abandoned, err := s.S.TryAcquire(o, detached)
	if !wait || !errors.Is(err, broker.ErrWouldBlock) {
		return abandoned, err
	}
	t := &broker.Ticket{Owner: o}
	err = broker.Await(ctx, t, func(t *broker.Ticket) { s.S.Acquire(t, detached) })
	return t.Abandoned, err
}

// Release gives a permit back, the caller's own one first.
func (s Semaphore) Release(ctx context.Context) error { return s.S.Release(owner.From(ctx)) }

// Value is the number of permits that are free.
func (s Semaphore) Value(context.Context) (int, error) { return s.S.Value(), nil }
