package remote

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
	"github.com/feac4032/multiproc/internal/owner"
)

// Lock is a lock, or one that its holder may take again.
type Lock struct{ ref Ref }

// NewLock returns the proxy of a lock.
func NewLock(r Ref) *Lock { return &Lock{r} }

// Ref is what travels in its place.
func (l *Lock) Ref() Ref { return l.ref }

// Acquire takes the lock for the context's owner.
func (l *Lock) Acquire(ctx context.Context, wait bool) (*owner.Abandoned, error) {
	return acquireLock(ctx, l.ref.ID, wait)
}

func acquireLock(ctx context.Context, id uint64, wait bool) (*owner.Abandoned, error) {
	if obj, ok, err := here[*broker.Lock](id); ok {
		return local.Lock{L: obj}.Acquire(ctx, wait)
	} else if err != nil {
		return nil, err
	}
	c, k, a, err := on(ctx, id, 3)
	if err != nil {
		return nil, err
	}
	if a == nil {
		c.recycle(k)
		return nil, broker.ErrNoOwner
	}
	k.out = appendBool(k.out, wait)
	left, err := c.acquired(ctx, k, a, id, opLockAcquire)
	if err == nil {
		a.gained(id)
	}
	return left, err
}

// Release gives the lock back. By its holder it is one way.
func (l *Lock) Release(ctx context.Context) error { return releaseLock(ctx, l.ref.ID) }

func releaseLock(ctx context.Context, id uint64) error {
	if obj, ok, err := here[*broker.Lock](id); ok {
		return local.Lock{L: obj}.Release(ctx)
	} else if err != nil {
		return err
	}
	return giveBack(ctx, id, opLockRelease)
}
