package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/task"
)

// Queue carries values of one type, first in, first out for each producer.
// All methods are safe for any number of goroutines, unless [Over] says less.
// Those who wait are served first come, first served.
//
// Every method that takes a context returns its error when the context ended
// first, and then has changed nothing; if the item was taken or handed over
// first, the call succeeds.
//
// A queue of a manager can be sent to other processes, as a part of an argument,
// a result or an item, as a *Queue: a reference travels, and what is received is
// the same queue. Any other is ErrNotShared there.
type Queue[T any] struct {
	b    Backend
	kind string // what it is called, see remote.Ref
	name string
}

// New returns a queue in the memory of this process that holds up to n items;
// Python's Queue(maxsize). With n ≤ 0 only [MemoryLimit] bounds it. Either way,
// Put blocks while the queue is full.
func New[T any](n int, opts ...Option) *Queue[T] { return Over[T](NewMemory(n), opts...) }

// OverPipes returns a queue that puts into w and gets from r, see [NewPipes].
func OverPipes[T any](r io.Reader, w io.Writer, opts ...Option) *Queue[T] {
	return Over[T](NewPipes(r, w), opts...)
}

// Over returns a queue whose items are kept by b. The queue may have as many
// callers at once as b takes: over an ipc.Link, one that puts and one that gets.
func Over[T any](b Backend, opts ...Option) *Queue[T] {
	q := over[T](b, remote.KindQueue, opts)
	return &q
}

func over[T any](b Backend, kind string, opts []Option) Queue[T] {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return Queue[T]{b: b, kind: kind, name: o.name}
}

// Option is an optional property of a queue.
type Option func(*options)

type options struct {
	name          string
	maxDeliveries int
	onPoisoned    func(Poisoned)
}

// Named gives a queue the name that its errors carry.
func Named(name string) Option { return func(o *options) { o.name = name } }

// scratch is what one call needs: a buffer, and a batch of one.
type scratch struct {
	buf   []byte
	batch [1][]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// keepScratch is the largest buffer in bytes that outlives its call.
const keepScratch = 64 << 10

func (s *scratch) release() {
	if cap(s.buf) > keepScratch {
		s.buf = nil
	}
	s.batch[0] = nil
	scratches.Put(s)
}

// encode makes the snapshot of v that travels.
func (q *Queue[T]) encode(v T) (*scratch, error) {
	s := scratches.Get().(*scratch)
	buf, err := task.Encode(s.buf[:0], v)
	if err != nil {
		s.release()
		return nil, err
	}
	if len(buf) > MaxItem {
		s.release()
		return nil, tooLarge(len(buf))
	}
	s.buf = buf
	s.batch[0] = buf
	return s, nil
}

func tooLarge(n int) error {
	return fmt.Errorf("item of %d bytes, at most %d are allowed: %w", n, MaxItem, ErrTooLarge)
}

// Put puts a snapshot of v into the queue, and blocks while there is no room:
// what the caller changes later is not seen by the getter. In memory the item
// is queued when Put returns; over a pipe its bytes are in the pipe, so that the
// producer may exit at once.
// So it is with a manager's queue in another process; a bounded one has the item
// then, and an unbounded one may not yet, but for the first item of a process:
// should it be closed or removed before it has, a later call says so. Flush waits
// for it.
//
// A value that cannot travel is refused before anything else happens, with an
// error that names the part of it. ErrClosed says that the queue was closed,
// ErrLost that nobody can get from it any more, ErrTooLarge that the item is
// over MaxItem.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if q.b == nil {
		return q.lacks("put")
	}
	s, err := q.encode(v)
	if err != nil {
		return q.failed("put", err)
	}
	defer s.release()
	if err := q.begin(ctx, "put"); err != nil {
		return err
	}
	// An item that was taken is put, whatever happened to the context then.
	if n, err := q.b.PutBatch(ctx, s.batch[:]); n == 0 && err != nil {
		return q.failed("put", err)
	}
	return nil
}

// TryPut is Put that does not wait for room: ErrFull instead; Python's
// put_nowait.
func (q *Queue[T]) TryPut(ctx context.Context, v T) error {
	b, ok := q.b.(TryPutter)
	if !ok {
		return q.lacks("try put")
	}
	s, err := q.encode(v)
	if err != nil {
		return q.failed("try put", err)
	}
	defer s.release()
	if err := q.begin(ctx, "try put"); err != nil {
		return err
	}
	n, err := b.TryPutBatch(ctx, s.batch[:])
	if err == nil && n == 0 {
		err = ErrFull
	}
	if err != nil {
		return q.failed("try put", err)
	}
	return nil
}

// Get takes the next item out, and blocks until there is one. ErrClosed says
// that the queue is closed and drained, ErrLost that the other side ended in
// the middle of an item, an *ItemError that this one item did not decode.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	var zero T
	if q.b == nil {
		return zero, q.lacks("get")
	}
	if err := q.begin(ctx, "get"); err != nil {
		return zero, err
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	s.batch[0] = s.buf[:0]
	if _, err := q.b.GetBatch(ctx, s.batch[:]); err != nil {
		return zero, q.failed("get", q.endOfStream(err))
	}
	return q.decode("get", s)
}

// TryGet is Get that does not wait for an item: ErrEmpty instead; Python's
// get_nowait.
func (q *Queue[T]) TryGet(ctx context.Context) (T, error) {
	var zero T
	b, ok := q.b.(TryGetter)
	if !ok {
		return zero, q.lacks("try get")
	}
	if err := q.begin(ctx, "try get"); err != nil {
		return zero, err
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	s.batch[0] = s.buf[:0]
	n, err := b.TryGetBatch(ctx, s.batch[:])
	if err == nil && n == 0 {
		err = ErrEmpty
	}
	if err != nil {
		return zero, q.failed("try get", q.endOfStream(err))
	}
	return q.decode("try get", s)
}

// endOfStream gives the ends of a stream, as a backend reports them, their names.
func (q *Queue[T]) endOfStream(err error) error {
	switch {
	case errors.Is(err, io.EOF) && q.kind != remote.KindPipe:
		return ErrClosed
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return err
}

func (q *Queue[T]) decode(op string, s *scratch) (T, error) {
	msg := s.batch[0]
	if cap(msg) > cap(s.buf) {
		s.buf = msg
	}
	return q.value(op, msg)
}

func (q *Queue[T]) value(op string, msg []byte) (T, error) {
	var v T
	if err := task.Decode(msg, &v); err != nil {
		return v, q.failed(op, &ItemError{Err: err})
	}
	return v, nil
}

// All returns the items as they come, until the queue is closed and drained. An
// item that does not decode is yielded as an error, and the loop goes on; any
// other error is yielded and ends it. An item is taken out when the loop asks
// for it, so that leaving the loop loses none.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		each(yield, func() (T, error) { return q.Get(ctx) }, ErrClosed)
	}
}

// each yields what next returns until that is the error end, or one that is not of
// a single item.
func each[V any](yield func(V, error) bool, next func() (V, error), end error) {
	for {
		v, err := next()
		if errors.Is(err, end) {
			return
		}
		var bad *ItemError
		if !yield(v, err) || err != nil && !errors.As(err, &bad) {
			return
		}
	}
}

// Len returns the number of items that are queued; Python's qsize. How many are
// in a pipe cannot be known: ErrUnsupported.
func (q *Queue[T]) Len(ctx context.Context) (int, error) { return q.length(ctx, "len") }

// Empty reports whether no item is queued. Like Len, it is not known over a
// pipe; TryGet is the way to find out there.
func (q *Queue[T]) Empty(ctx context.Context) (bool, error) {
	n, err := q.length(ctx, "empty")
	return n == 0 && err == nil, err
}

func (q *Queue[T]) length(ctx context.Context, op string) (int, error) {
	b, ok := q.b.(Lener)
	if !ok {
		return 0, q.lacks(op)
	}
	if err := q.begin(ctx, op); err != nil {
		return 0, err
	}
	n, err := b.Len(ctx)
	if err != nil {
		return 0, q.failed(op, err)
	}
	return n, nil
}

// Full reports whether a Put would wait. It is not known over a pipe; TryPut is
// the way to find out there.
func (q *Queue[T]) Full(ctx context.Context) (bool, error) {
	b, ok := q.b.(Fuller)
	if !ok {
		return false, q.lacks("full")
	}
	if err := q.begin(ctx, "full"); err != nil {
		return false, err
	}
	full, err := b.Full(ctx)
	if err != nil {
		return false, q.failed("full", err)
	}
	return full, nil
}

// Flush waits until nothing that was put is still in this process only; Python's
// join_thread. Over pipes that is so in one case only: a pipe was full, and the
// context of a Put ended, or a TryPut ran out of room, in the middle of an item.
// Such an item counts as put, and its rest is sent in the background. For a
// manager's queue it waits until the queue has what was put. In memory there is
// nothing to wait for.
func (q *Queue[T]) Flush(ctx context.Context) error {
	if q.b == nil {
		return q.lacks("flush")
	}
	b, ok := q.b.(Flusher)
	if !ok {
		return nil
	}
	if err := b.Flush(ctx); err != nil {
		return q.failed("flush", err)
	}
	return nil
}

// Close ends the putting: putters get ErrClosed, also those that wait. Getters
// drain what is queued, then get ErrClosed. Over pipes it closes w, so that the
// other side learns of it; see [Pipes.Close]. It does not wait, and further
// calls do nothing.
func (q *Queue[T]) Close() error {
	b, ok := q.b.(Closer)
	if !ok {
		return q.lacks("close")
	}
	if err := b.Close(); err != nil {
		return q.failed("close", err)
	}
	return nil
}

// Shutdown closes, drops what is queued here, and wakes all putters and getters
// with ErrClosed; Python's shutdown(immediate=True). Further calls do nothing.
func (q *Queue[T]) Shutdown() error {
	b, ok := q.b.(Shutdowner)
	if !ok {
		return q.lacks("shutdown")
	}
	if err := b.Shutdown(); err != nil {
		return q.failed("shutdown", err)
	}
	return nil
}

// begin refuses an operation whose context has ended: it changes nothing then.
func (q *Queue[T]) begin(ctx context.Context, op string) error {
	if ctx.Err() != nil {
		return q.failed(op, ended(ctx))
	}
	return nil
}

// lacks is the error of an operation that the queue's backend does not have. A
// zero value has no backend at all.
func (q *Queue[T]) lacks(op string) error {
	if q.b == nil {
		return fmt.Errorf("queue: %s: %w", op, errZero)
	}
	return q.failed(op, ErrUnsupported)
}

func (q *Queue[T]) failed(op string, err error) error {
	if q.name == "" {
		return fmt.Errorf("%s: %s: %w", q.kind, op, err)
	}
	return fmt.Errorf("%s %s: %s: %w", q.kind, q.name, op, err)
}
