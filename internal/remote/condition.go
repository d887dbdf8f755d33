package remote

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
	"github.com/feac4032/multiproc/internal/owner"
)

// Condition is waited for with a lock, which is part of it.
type Condition struct{ ref Ref }

// NewCondition returns the proxy of a condition.
func NewCondition(r Ref) *Condition { return &Condition{r} }

// Ref is what travels in its place.
func (d *Condition) Ref() Ref { return d.ref }

// Acquire takes the condition's lock.
func (d *Condition) Acquire(ctx context.Context, wait bool) (*owner.Abandoned, error) {
	return acquireLock(ctx, d.ref.Peer, wait)
}

// Release gives the condition's lock back.
func (d *Condition) Release(ctx context.Context) error { return releaseLock(ctx, d.ref.Peer) }

// Wait releases the lock, waits to be notified, and takes the lock again.
func (d *Condition) Wait(ctx context.Context) (*owner.Abandoned, error) {
	if obj, ok, err := here[*broker.Condition](d.ref.ID); ok {
		return local.Condition{C: obj}.Wait(ctx)
	} else if err != nil {
		return nil, err
	}
	c, k, a, err := on(ctx, d.ref.ID, 2)
	if err != nil {
		return nil, err
	}
	return c.acquired(ctx, k, a, d.ref.ID, opConditionWait)
}

// Notify wakes up to n of those who wait, all if n < 0.
func (d *Condition) Notify(ctx context.Context, n int) error {
	if obj, ok, err := here[*broker.Condition](d.ref.ID); ok {
		return local.Condition{C: obj}.Notify(ctx, n)
	} else if err != nil {
		return err
	}
	c, k, _, err := on(ctx, d.ref.ID, 3)
	if err != nil {
		return err
	}
	k.out = appendInt(k.out, int64(n))
	return c.simple(ctx, k, opConditionNotify)
}
