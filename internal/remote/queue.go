package remote

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
)

// Queue is a queue of encoded items. It has all that package queue knows of a
// backend.
type Queue struct{ ref Ref }

// NewQueue returns the proxy of a queue.
func NewQueue(r Ref) *Queue { return &Queue{r} }

// Ref is what travels in its place.
func (q *Queue) Ref() Ref { return q.ref }

func (q *Queue) here() (*broker.Queue, bool, error) { return here[*broker.Queue](q.ref.ID) }

// PutBatch puts items in their order. Into a queue that is bounded by memory alone
// they are posted: it returns when they are on the way, and waits only while too
// many are.
func (q *Queue) PutBatch(ctx context.Context, items [][]byte) (int, error) {
	if obj, ok, err := q.here(); ok {
		return putHere(ctx, obj, items)
	} else if err != nil {
		return 0, err
	}
	c, err := clientOf(ctx)
	if err != nil {
		return 0, err
	}
	for i, item := range items {
		if q.ref.Size > 0 {
			err = c.put(ctx, q.ref.ID, opQueuePut, putWait, item)
		} else {
			err = c.post(ctx, q.ref.ID, opQueuePut, true, item)
		}
		if err != nil {
			return i, err
		}
	}
	return len(items), nil
}

// TryPutBatch is PutBatch without waiting for room.
func (q *Queue) TryPutBatch(ctx context.Context, items [][]byte) (int, error) {
	if obj, ok, err := q.here(); ok {
		return tryPutHere(ctx, obj, items)
	} else if err != nil {
		return 0, err
	}
	return tryPut(ctx, q.ref.ID, opQueuePut, q.ref.Size <= 0, items)
}

// Flush waits until all that this process has put is in the queue.
func (q *Queue) Flush(ctx context.Context) error {
	if _, ok, err := q.here(); ok || err != nil {
		return err
	}
	c, err := clientOf(ctx)
	if err != nil {
		return err
	}
	return c.flush(ctx, q.ref.ID, opQueuePut)
}

// GetBatch waits for an item, and returns with it as many as are at hand.
func (q *Queue) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	if obj, ok, err := q.here(); ok {
		return getHere(ctx, obj, dst)
	} else if err != nil {
		return 0, err
	}
	return get(ctx, q.ref.ID, opQueueGet, true, dst)
}

// TryGetBatch is GetBatch without waiting.
func (q *Queue) TryGetBatch(ctx context.Context, dst [][]byte) (int, error) {
	if obj, ok, err := q.here(); ok {
		return obj.TryGetBatch(dst)
	} else if err != nil {
		return 0, err
	}
	return tryGet(ctx, q.ref.ID, opQueueGet, dst)
}

// state is what a queue says of itself.
type state struct {
	queued, unfinished int
	full               bool
}

func (q *Queue) state(ctx context.Context) (s state, err error) {
	if obj, ok, err := q.here(); ok {
		return state{obj.Len(), obj.Unfinished(), obj.Full()}, nil
	} else if err != nil {
		return s, err
	}
	c, k, _, err := on(ctx, q.ref.ID, 2)
	if err != nil {
		return s, err
	}
	if err := c.roundTrip(ctx, k, opQueueState); err != nil {
		return s, err
	}
	k.in.arrayOf(3)
	s.queued, s.full, s.unfinished = k.in.int(), k.in.bool(), k.in.int()
	return s, c.end(k)
}

// Len is how many items are queued.
func (q *Queue) Len(ctx context.Context) (int, error) {
	s, err := q.state(ctx)
	return s.queued, err
}

// Full reports whether a put would wait.
func (q *Queue) Full(ctx context.Context) (bool, error) {
	s, err := q.state(ctx)
	return s.full, err
}

// Unfinished is how many items are queued or leased.
func (q *Queue) Unfinished(ctx context.Context) (int, error) {
	s, err := q.state(ctx)
	return s.unfinished, err
}

// Close refuses puts from now on.
func (q *Queue) Close() error {
	if obj, ok, err := q.here(); ok {
		obj.Close()
		return nil
	} else if err != nil {
		return err
	}
	return perform(context.Background(), q.ref.ID, opQueueClose)
}

// Shutdown closes, and drops what is queued.
func (q *Queue) Shutdown() error {
	if obj, ok, err := q.here(); ok {
		obj.Shutdown()
		return nil
	} else if err != nil {
		return err
	}
	return perform(context.Background(), q.ref.ID, opQueueShutdown)
}

// Lease is GetBatch of one item that is kept until it is done.
func (q *Queue) Lease(ctx context.Context) (broker.Leased, error) {
	if obj, ok, err := q.here(); ok {
		return leaseHere(ctx, obj)
	} else if err != nil {
		return broker.Leased{}, err
	}
	return q.lease(ctx, true)
}

// TryLease is Lease without waiting.
func (q *Queue) TryLease(ctx context.Context) (broker.Leased, bool, error) {
	if obj, ok, err := q.here(); ok {
		return tryLeaseHere(ctx, obj)
	} else if err != nil {
		return broker.Leased{}, false, err
	}
	l, err := q.lease(ctx, false)
	if isEmpty(err) {
		return l, false, nil
	}
	return l, err == nil, err
}

func (q *Queue) lease(ctx context.Context, wait bool) (l broker.Leased, err error) {
	c, k, a, err := on(ctx, q.ref.ID, 3)
	if err != nil {
		return l, err
	}
	if err = c.noticed(q.ref.ID, a.number()); a == nil {
		err = broker.ErrNoOwner
	}
	if err != nil {
		c.recycle(k)
		return l, err
	}
	k.out = appendBool(k.out, wait)
	if err := c.roundTrip(ctx, k, opQueueLease); err != nil {
		return l, err
	}
	k.in.arrayOf(3)
	l.Item, l.Lease, l.Delivery = k.in.binCopy(), k.in.uint(), k.in.int()
	return l, c.end(k)
}

// Done ends a lease.
func (q *Queue) Done(ctx context.Context, lease uint64) error {
	return q.endLease(ctx, lease, opQueueDone)
}

// Return ends a lease, and puts the item back.
func (q *Queue) Return(ctx context.Context, lease uint64) error {
	return q.endLease(ctx, lease, opQueueReturn)
}

func (q *Queue) endLease(ctx context.Context, lease uint64, op string) error {
	if obj, ok, err := q.here(); ok {
		return endLeaseHere(ctx, obj, lease, op == opQueueReturn)
	} else if err != nil {
		return err
	}
	c, k, _, err := on(context.WithoutCancel(ctx), q.ref.ID, 3)
	if err != nil {
		return err
	}
	k.out = appendUint(k.out, lease)
	return c.simple(context.WithoutCancel(ctx), k, op)
}

// TaskDone is Done of the lease that the context's owner has had for longest.
func (q *Queue) TaskDone(ctx context.Context) error {
	if obj, ok, err := q.here(); ok {
		return taskDoneHere(ctx, obj)
	} else if err != nil {
		return err
	}
	return perform(context.WithoutCancel(ctx), q.ref.ID, opQueueTaskDone)
}

// Join waits until all items that were put are done.
func (q *Queue) Join(ctx context.Context) error {
	if obj, ok, err := q.here(); ok {
		return joinHere(ctx, obj)
	} else if err != nil {
		return err
	}
	return perform(ctx, q.ref.ID, opQueueJoin)
}
