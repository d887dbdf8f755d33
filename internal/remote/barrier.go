package remote

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
)

// Barrier is waited at until all are there.
type Barrier struct{ ref Ref }

// NewBarrier returns the proxy of a barrier.
func NewBarrier(r Ref) *Barrier { return &Barrier{r} }

// Ref is what travels in its place.
func (b *Barrier) Ref() Ref { return b.ref }

// Wait waits for the others, and returns the caller's index.
func (b *Barrier) Wait(ctx context.Context) (int, error) {
	if obj, ok, err := here[*broker.Barrier](b.ref.ID); ok {
		return local.Barrier{B: obj}.Wait(ctx)
	} else if err != nil {
		return 0, err
	}
	c, k, _, err := on(ctx, b.ref.ID, 2)
	if err != nil {
		return 0, err
	}
	if err := c.roundTrip(ctx, k, opBarrierWait); err != nil {
		return 0, err
	}
	n := k.in.int()
	return n, c.end(k)
}

// Abort breaks it.
func (b *Barrier) Abort(ctx context.Context) error {
	if obj, ok, err := here[*broker.Barrier](b.ref.ID); ok {
		return local.Barrier{B: obj}.Abort(ctx)
	} else if err != nil {
		return err
	}
	return perform(ctx, b.ref.ID, opBarrierAbort)
}

// Reset makes it as new.
func (b *Barrier) Reset(ctx context.Context) error {
	if obj, ok, err := here[*broker.Barrier](b.ref.ID); ok {
		return local.Barrier{B: obj}.Reset(ctx)
	} else if err != nil {
		return err
	}
	return perform(ctx, b.ref.ID, opBarrierReset)
}

// State says how many parties there are, how many wait, and whether it is broken.
func (b *Barrier) State(ctx context.Context) (parties, waiting int, broken bool, err error) {
	if obj, ok, err := here[*broker.Barrier](b.ref.ID); ok {
		return local.Barrier{B: obj}.State(ctx)
	} else if err != nil {
		return 0, 0, false, err
	}
	c, k, _, err := on(ctx, b.ref.ID, 2)
	if err != nil {
		return 0, 0, false, err
	}
	if err := c.roundTrip(ctx, k, opBarrierState); err != nil {
		return 0, 0, false, err
	}
	k.in.arrayOf(3)
	parties, waiting, broken = k.in.int(), k.in.int(), k.in.bool()
	return parties, waiting, broken, c.end(k)
}
