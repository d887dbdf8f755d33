package remote

import (
	"context"
	"reflect"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
	"github.com/feac4032/multiproc/internal/owner"
)

// on begins an operation of the context's owner on an object.
func on(ctx context.Context, object uint64, n int) (*Client, *exchange, *agent, error) {
	c, err := clientOf(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	a, err := c.agentOf(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	k, err := c.begin(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	k.head(n, object, a.number())
	return c, k, a, nil
}

// simple is a round trip that says nothing but whether it has worked.
func (c *Client) simple(ctx context.Context, k *exchange, op string) error {
	if err := c.roundTrip(ctx, k, op); err != nil {
		return err
	}
	k.in.null()
	return c.end(k)
}

// perform is on and simple, for operations without further arguments.
func perform(ctx context.Context, object uint64, op string) error {
	c, k, _, err := on(ctx, object, 2)
	if err != nil {
		return err
	}
	return c.simple(ctx, k, op)
}

// giveBack returns what the owner has of an object without waiting for an answer,
// or, if it has nothing of it, asks.
func giveBack(ctx context.Context, object uint64, op string) error {
	ctx = context.WithoutCancel(ctx) // nothing is waited for that does not come
	c, k, a, err := on(ctx, object, 2)
	if err != nil {
		return err
	}
	if err := c.noticed(object, a.number()); err != nil {
		c.recycle(k)
		return err
	}
	if !a.gives(object) {
		return c.simple(ctx, k, op)
	}
	err = c.Post(op, k.out)
	c.recycle(k)
	return err
}

// acquired reads the answer to an acquire.
func (c *Client) acquired(ctx context.Context, k *exchange, a *agent, object uint64, op string) (*owner.Abandoned, error) {
	if err := c.noticed(object, a.number()); err != nil {
		c.recycle(k)
		return nil, err
	}
	if err := c.roundTrip(ctx, k, op); err != nil {
		return nil, err
	}
	left := k.in.abandoned()
	if err := c.end(k); err != nil {
		return nil, err
	}
	return left, nil
}

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

// Event is set or not.
type Event struct{ ref Ref }

// NewEvent returns the proxy of an event.
func NewEvent(r Ref) *Event { return &Event{r} }

// Ref is what travels in its place.
func (e *Event) Ref() Ref { return e.ref }

// Set sets it, and wakes all who wait.
func (e *Event) Set(ctx context.Context) error {
	if obj, ok, err := here[*broker.Event](e.ref.ID); ok {
		return local.Event{E: obj}.Set(ctx)
	} else if err != nil {
		return err
	}
	return perform(ctx, e.ref.ID, opEventSet)
}

// Clear makes it not set.
func (e *Event) Clear(ctx context.Context) error {
	if obj, ok, err := here[*broker.Event](e.ref.ID); ok {
		return local.Event{E: obj}.Clear(ctx)
	} else if err != nil {
		return err
	}
	return perform(ctx, e.ref.ID, opEventClear)
}

// IsSet reports whether it is set.
func (e *Event) IsSet(ctx context.Context) (bool, error) {
	if obj, ok, err := here[*broker.Event](e.ref.ID); ok {
		return local.Event{E: obj}.IsSet(ctx)
	} else if err != nil {
		return false, err
	}
	c, k, _, err := on(ctx, e.ref.ID, 2)
	if err != nil {
		return false, err
	}
	if err := c.roundTrip(ctx, k, opEventIsSet); err != nil {
		return false, err
	}
	set := k.in.bool()
	return set, c.end(k)
}

// Wait waits until it is set.
func (e *Event) Wait(ctx context.Context) error {
	if obj, ok, err := here[*broker.Event](e.ref.ID); ok {
		return local.Event{E: obj}.Wait(ctx)
	} else if err != nil {
		return err
	}
	return perform(ctx, e.ref.ID, opEventWait)
}

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

// Cells hold encoded values.
type Cells struct{ ref Ref }

// NewCells returns the proxy of cells.
func NewCells(r Ref) *Cells { return &Cells{r} }

// Ref is what travels in their place.
func (x *Cells) Ref() Ref { return x.ref }

// Len is the number of cells.
func (x *Cells) Len(context.Context) (int, error) { return int(x.ref.Size), nil }

// Load returns the value of cell i, and its version.
func (x *Cells) Load(ctx context.Context, i int) ([]byte, uint64, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.Load(ctx, i)
	} else if err != nil {
		return nil, 0, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 3)
	if err != nil {
		return nil, 0, err
	}
	k.out = appendInt(k.out, int64(i))
	if err := c.roundTrip(ctx, k, opCellsLoad); err != nil {
		return nil, 0, err
	}
	k.in.arrayOf(2)
	v, version := k.in.binCopy(), k.in.uint()
	return v, version, c.end(k)
}

// Store sets cell i.
func (x *Cells) Store(ctx context.Context, i int, v []byte) error {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.Store(ctx, i, v)
	} else if err != nil {
		return err
	}
	c, k, _, err := on(ctx, x.ref.ID, 4)
	if err != nil {
		return err
	}
	k.out = appendBin(appendInt(k.out, int64(i)), v)
	return c.simple(ctx, k, opCellsStore)
}

// CompareAndSwap sets cell i if it still has this version.
func (x *Cells) CompareAndSwap(ctx context.Context, i int, version uint64, v []byte) (bool, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.CompareAndSwap(ctx, i, version, v)
	} else if err != nil {
		return false, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 5)
	if err != nil {
		return false, err
	}
	k.out = appendBin(appendUint(appendInt(k.out, int64(i)), version), v)
	return c.swapped(ctx, k, opCellsCompare)
}

// CompareAndSwapValue sets cell i if its value is old.
func (x *Cells) CompareAndSwapValue(ctx context.Context, i int, old, v []byte) (bool, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.CompareAndSwapValue(ctx, i, old, v)
	} else if err != nil {
		return false, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 5)
	if err != nil {
		return false, err
	}
	k.out = appendBin(appendBin(appendInt(k.out, int64(i)), old), v)
	return c.swapped(ctx, k, opCellsSwap)
}

func (c *Client) swapped(ctx context.Context, k *exchange, op string) (bool, error) {
	if err := c.roundTrip(ctx, k, op); err != nil {
		return false, err
	}
	done := k.in.bool()
	return done, c.end(k)
}

// Add adds to cell i, which holds a number of this kind, and returns the sum.
func (x *Cells) Add(ctx context.Context, i int, kind reflect.Kind, delta []byte) ([]byte, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.Add(ctx, i, kind, delta)
	} else if err != nil {
		return nil, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 5)
	if err != nil {
		return nil, err
	}
	k.out = appendBin(appendUint(appendInt(k.out, int64(i)), uint64(kind)), delta)
	if err := c.roundTrip(ctx, k, opCellsAdd); err != nil {
		return nil, err
	}
	v := k.in.binCopy()
	return v, c.end(k)
}

// Snapshot returns the values of all cells as they were at one moment.
func (x *Cells) Snapshot(ctx context.Context) ([][]byte, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.Snapshot(ctx)
	} else if err != nil {
		return nil, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 2)
	if err != nil {
		return nil, err
	}
	if err := c.roundTrip(ctx, k, opCellsSnapshot); err != nil {
		return nil, err
	}
	values := make([][]byte, 0, x.ref.Size)
	for n := k.in.array(); n > 0 && !k.in.bad; n-- {
		values = append(values, k.in.binCopy())
	}
	return values, c.end(k)
}
