package local

import (
	"context"
	"errors"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// Lock takes and releases a lock, counted or not.
type Lock struct{ L *broker.Lock }

// Acquire takes the lock for the owner of ctx. With wait it blocks until it has
// it, or ctx ends; else the answer is ErrWouldBlock.
func (l Lock) Acquire(ctx context.Context, wait bool) (*owner.Abandoned, error) {
	o := owner.From(ctx)
	abandoned, err := l.L.TryAcquire(o)
	if !wait || !errors.Is(err, broker.ErrWouldBlock) {
		return abandoned, err
	}
	t := &broker.Ticket{Owner: o}
	err = broker.Await(ctx, t, l.L.Acquire)
	return t.Abandoned, err
}

// Release gives the lock back.
func (l Lock) Release(ctx context.Context) error {
	_, err := l.L.Release(owner.From(ctx))
	return err
}
