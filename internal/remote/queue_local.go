package remote

import (
	"context"
	"errors"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// Queues of this process. What is put is copied: it is the caller's again.

func putHere(ctx context.Context, q putter, items [][]byte) (int, error) {
	for i, item := range items {
		if ctx.Err() != nil {
			return i, broker.Ended(ctx)
		}
		item = append([]byte(nil), item...)
		ok, err := q.TryPut(item)
		if !ok && err == nil {
			t := &broker.Ticket{Owner: owner.From(ctx)}
			err = broker.Await(ctx, t, func(t *broker.Ticket) { q.Put(t, item) })
		}
		if err != nil {
			return i, err
		}
	}
	return len(items), nil
}

func tryPutHere(ctx context.Context, q putter, items [][]byte) (int, error) {
	for i, item := range items {
		if ctx.Err() != nil {
			return i, broker.Ended(ctx)
		}
		if ok, err := q.TryPut(append([]byte(nil), item...)); !ok {
			return i, err
		}
	}
	return len(items), nil
}

func getHere(ctx context.Context, q getter, dst [][]byte) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	if ctx.Err() != nil {
		return 0, broker.Ended(ctx)
	}
	if n, err := q.TryGetBatch(dst); n > 0 || err != nil {
		return n, err
	}
	t := &broker.Ticket{Owner: owner.From(ctx)}
	if err := broker.Await(ctx, t, q.Get); err != nil {
		return 0, err
	}
	dst[0] = t.Item
	n, err := q.TryGetBatch(dst[1:])
	if err != nil {
		n = 0 // it comes again
	}
	return n + 1, nil
}

func leaseHere(ctx context.Context, q *broker.Queue) (broker.Leased, error) {
	if ctx.Err() != nil {
		return broker.Leased{}, broker.Ended(ctx)
	}
	t := &broker.Ticket{Owner: owner.From(ctx)}
	if err := broker.Await(ctx, t, q.Lease); err != nil {
		return broker.Leased{}, err
	}
	return broker.Leased{Item: t.Item, Lease: t.Lease, Delivery: t.Delivery}, nil
}

func tryLeaseHere(ctx context.Context, q *broker.Queue) (broker.Leased, bool, error) {
	if ctx.Err() != nil {
		return broker.Leased{}, false, broker.Ended(ctx)
	}
	return q.TryLease(owner.From(ctx))
}

func endLeaseHere(ctx context.Context, q *broker.Queue, lease uint64, back bool) error {
	if back {
		return q.Return(owner.From(ctx), lease)
	}
	return q.Done(owner.From(ctx), lease)
}

func taskDoneHere(ctx context.Context, q *broker.Queue) error { return q.TaskDone(owner.From(ctx)) }

func joinHere(ctx context.Context, q *broker.Queue) error {
	if ctx.Err() != nil {
		return broker.Ended(ctx)
	}
	return broker.Await(ctx, &broker.Ticket{Owner: owner.From(ctx)}, q.Join)
}

func isEmpty(err error) bool { return errors.Is(err, broker.ErrEmpty) }

func isFull(err error) bool { return errors.Is(err, broker.ErrFull) }
