package queue

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/remote"
)

// Joinable is a queue that knows which of its items are done; Python's
// JoinableQueue. A getter leases an item, and says when it is done with it; Join
// waits for all. What a getter had open when it ended goes back to the head of the
// queue, for others, so that a worker's death loses no item.
//
// A lease is of an owner: the job, the thread or the main function whose context
// it is, or one of psync.WithOwner. Its end, in whatever way, a plain return too,
// ends its leases. An item whose owners have ended so [MaxDeliveries] times is
// given up, as it may be what they died of: it counts as done, and is reported.
//
// Methods behave as those of [Queue] with the same name, and errors are the same.
type Joinable[T any] struct{ q Queue[T] }

// NewJoinable returns a joinable queue in the memory of this process that holds
// up to n items that nobody has leased; Python's JoinableQueue(maxsize). n ≤ 0 as
// in [New].
func NewJoinable[T any](n int, opts ...JoinableOption) *Joinable[T] {
	var o options
	for _, opt := range opts {
		opt.joinable(&o)
	}
	q := broker.NewQueue(o.name, n)
	if o.maxDeliveries > 0 {
		q.MaxDeliveries = o.maxDeliveries
	}
	q.OnPoison = o.onPoisoned
	return OverJoinable[T](&Memory{q}, Named(o.name))
}

// OverJoinable returns a joinable queue whose items are kept by b. Where b is not
// a [Leaser], what needs one is ErrUnsupported.
func OverJoinable[T any](b Backend, opts ...Option) *Joinable[T] {
	return &Joinable[T]{over[T](b, remote.KindJoinable, opts)}
}

// JoinableOption is an optional property of a joinable queue; every [Option] is
// one.
type JoinableOption interface{ joinable(*options) }

func (opt Option) joinable(o *options) { opt(o) }

type joinableOption func(*options)

func (opt joinableOption) joinable(o *options) { opt(o) }

// MaxDeliveries is how many owners may end with an item leased before the queue
// gives it up, 2 if it is not set, or not positive. What was returned does not
// count.
func MaxDeliveries(n int) JoinableOption {
	return joinableOption(func(o *options) { o.maxDeliveries = n })
}

// Poisoned is an item that was given up: Item, encoded, which task.Decode reads;
// how many Deliveries it had; and Last, who had it last, and how that ended.
type Poisoned = broker.Poisoned

// OnPoisoned has f called with every item that is given up, before those who Join
// are told, by the goroutine that ends the owner: it must not block. Without it
// such an item is logged to hclog's default logger, as is a panic of f.
func OnPoisoned(f func(Poisoned)) JoinableOption {
	return joinableOption(func(o *options) { o.onPoisoned = f })
}

// Lease is an item that was handed out, until Done or Return, or the end of its
// owner.
type Lease[T any] struct {
	Value T

	// Deliveries is how often the item was handed out, this time included; 1 means
	// that nobody has had it before.
	Deliveries int

	ctx context.Context // names the owner
	q   *Joinable[T]
	id  uint64
}

// Done says that the item was dealt with. A second call, or one after Return, is
// ErrTooManyDone, as is that of a Lease which came with an error; after the end of
// its owner it is ErrEnded.
func (l *Lease[T]) Done() error { return l.end("done", Leaser.Done) }

// Return puts the item back to the head of the queue, before all that were put
// after it. The next getter sees it in Deliveries, but it does not count towards
// [MaxDeliveries].
func (l *Lease[T]) Return() error { return l.end("return", Leaser.Return) }

func (l *Lease[T]) end(op string, how func(Leaser, context.Context, uint64) error) error {
	if l.q == nil {
		return fmt.Errorf("queue: %s: zero Lease, nothing was handed out: %w", op, ErrTooManyDone)
	}
	b, err := l.q.leaser(op)
	if err != nil {
		return err
	}
	if err := how(b, l.ctx, l.id); err != nil {
		return l.q.q.failed(op, err)
	}
	return nil
}

func (q *Joinable[T]) leaser(op string) (Leaser, error) {
	if b, ok := q.q.b.(Leaser); ok {
		return b, nil
	}
	return nil, q.q.lacks(op)
}

// Put is [Queue.Put]. The item is to be done, from now on.
func (q *Joinable[T]) Put(ctx context.Context, v T) error { return q.q.Put(ctx, v) }

// TryPut is [Queue.TryPut].
func (q *Joinable[T]) TryPut(ctx context.Context, v T) error { return q.q.TryPut(ctx, v) }

// Lease takes the next item for a time, and blocks until there is one. ErrNoOwner
// says that ctx carries no owner. Of a queue that is closed and empty it waits as
// long as other owners have leases, whose items may come back, unless ctx's owner
// has one itself; then it is ErrClosed. An item that does not decode is an
// *ItemError, and done.
func (q *Joinable[T]) Lease(ctx context.Context) (Lease[T], error) {
	return q.lease(ctx, "lease", func(b Leaser) (Leased, error) { return b.Lease(ctx) })
}

// TryLease is Lease that does not wait: ErrEmpty instead.
func (q *Joinable[T]) TryLease(ctx context.Context) (Lease[T], error) {
	return q.lease(ctx, "try lease", func(b Leaser) (Leased, error) { return tryLease(ctx, b) })
}

func tryLease(ctx context.Context, b Leaser) (Leased, error) {
	l, ok, err := b.TryLease(ctx)
	if err == nil && !ok {
		err = ErrEmpty
	}
	return l, err
}

func (q *Joinable[T]) lease(ctx context.Context, op string, from func(Leaser) (Leased, error)) (Lease[T], error) {
	b, err := q.leaser(op)
	if err != nil {
		return Lease[T]{}, err
	}
	if err := q.q.begin(ctx, op); err != nil {
		return Lease[T]{}, err
	}
	got, err := from(b)
	if err != nil {
		return Lease[T]{}, q.q.failed(op, q.q.endOfStream(err))
	}
	// Done must reach the queue after the context that bounded the waiting.
	ctx = context.WithoutCancel(ctx)
	v, err := q.q.value(op, got.Item)
	if err != nil {
		return Lease[T]{}, errors.Join(err, b.Done(ctx, got.Lease))
	}
	return Lease[T]{Value: v, Deliveries: got.Delivery, ctx: ctx, q: q, id: got.Lease}, nil
}

// Get is Lease for those who then say TaskDone.
func (q *Joinable[T]) Get(ctx context.Context) (T, error) {
	l, err := q.lease(ctx, "get", func(b Leaser) (Leased, error) { return b.Lease(ctx) })
	return l.Value, err
}

// TryGet is Get that does not wait: ErrEmpty instead.
func (q *Joinable[T]) TryGet(ctx context.Context) (T, error) {
	l, err := q.lease(ctx, "try get", func(b Leaser) (Leased, error) { return tryLease(ctx, b) })
	return l.Value, err
}

// TaskDone says that the item that ctx's owner has had open for longest was dealt
// with; Python's task_done. One too many is ErrTooManyDone. It works though ctx has
// ended.
func (q *Joinable[T]) TaskDone(ctx context.Context) error {
	b, err := q.leaser("task done")
	if err != nil {
		return err
	}
	if err := b.TaskDone(ctx); err != nil {
		return q.q.failed("task done", err)
	}
	return nil
}

// Join blocks until every item that was put is done; Python's join. ErrClosed says
// that Shutdown has dropped some.
func (q *Joinable[T]) Join(ctx context.Context) error {
	b, err := q.leaser("join")
	if err != nil {
		return err
	}
	if err := q.q.begin(ctx, "join"); err != nil {
		return err
	}
	if err := b.Join(ctx); err != nil {
		return q.q.failed("join", err)
	}
	return nil
}

// All leases the items as they come, until the queue is closed and no item can
// come any more. Errors are as in [Queue.All]. Who ends a lease only after the
// loop has asked for the next one may miss what comes back from others.
func (q *Joinable[T]) All(ctx context.Context) iter.Seq2[Lease[T], error] {
	return func(yield func(Lease[T], error) bool) {
		each(yield, func() (Lease[T], error) { return q.Lease(ctx) }, ErrClosed)
	}
}

// Len returns the number of items that are queued; those that are leased are not.
func (q *Joinable[T]) Len(ctx context.Context) (int, error) { return q.q.Len(ctx) }

// Empty reports whether no item is queued.
func (q *Joinable[T]) Empty(ctx context.Context) (bool, error) { return q.q.Empty(ctx) }

// Full is [Queue.Full].
func (q *Joinable[T]) Full(ctx context.Context) (bool, error) { return q.q.Full(ctx) }

// Unfinished returns the number of items that Join waits for.
func (q *Joinable[T]) Unfinished(ctx context.Context) (int, error) {
	b, err := q.leaser("unfinished")
	if err != nil {
		return 0, err
	}
	if err := q.q.begin(ctx, "unfinished"); err != nil {
		return 0, err
	}
	n, err := b.Unfinished(ctx)
	if err != nil {
		return 0, q.q.failed("unfinished", err)
	}
	return n, nil
}

// Flush is [Queue.Flush].
func (q *Joinable[T]) Flush(ctx context.Context) error { return q.q.Flush(ctx) }

// Close is [Queue.Close]. Getters drain what comes back from leases, too.
func (q *Joinable[T]) Close() error { return q.q.Close() }

// Shutdown is [Queue.Shutdown]: those who Join get ErrClosed. Leases that are open
// stay so, and what is returned is dropped.
func (q *Joinable[T]) Shutdown() error { return q.q.Shutdown() }
