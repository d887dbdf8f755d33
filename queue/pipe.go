package queue

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/remote"
)

// End is one end of a pipe that carries messages both ways; a Connection of
// Python's Pipe(). What one end puts, the other one gets, each message by itself,
// those without bytes too. It is safe for any number of goroutines.
//
// An end of a manager's pipe can be sent to another process, which has it from
// then on: when the processes that it was sent to have all ended, or one has
// closed it, it is closed.
type End[T any] struct{ q Queue[T] }

// Pipe returns the two ends of a pipe in the memory of this process; Python's
// Pipe(duplex=True). Each direction is bounded by [MemoryLimit] only.
func Pipe[T any](opts ...Option) (a, b *End[T]) {
	x, y := NewMemoryPipe()
	return OverEnd[T](x, opts...), OverEnd[T](y, opts...)
}

// OverEnd returns an end of a pipe whose messages are kept by b. GetBatch of such
// a backend returns io.EOF when the other end was closed, or is dead, and all it
// put was got, and ErrClosed when this one was closed; PutBatch returns ErrLost
// and ErrClosed.
func OverEnd[T any](b Backend, opts ...Option) *End[T] {
	return &End[T]{over[T](b, remote.KindPipe, opts)}
}

// Put sends a snapshot of v to the other end; Python's send. ErrLost says that the
// other end was closed, or is dead, as EPIPE of a pipe does, and ErrClosed that
// this one was. Else it is as [Queue.Put].
func (e *End[T]) Put(ctx context.Context, v T) error { return e.q.Put(ctx, v) }

// TryPut is Put that does not wait for room: ErrFull instead.
func (e *End[T]) TryPut(ctx context.Context, v T) error { return e.q.TryPut(ctx, v) }

// Get returns the next message of the other end, and blocks until there is one;
// Python's recv. It returns io.EOF itself when the other end was closed, or is
// dead, and all it put was got; Python's EOFError. ErrClosed says that this end
// was closed, an *ItemError that this one message did not decode.
func (e *End[T]) Get(ctx context.Context) (T, error) {
	v, err := e.q.Get(ctx)
	return v, bareEOF(err)
}

// TryGet is Get that does not wait for a message: ErrEmpty instead; Python's poll
// and recv in one.
func (e *End[T]) TryGet(ctx context.Context) (T, error) {
	v, err := e.q.TryGet(ctx)
	return v, bareEOF(err)
}

// bareEOF is for those who compare with ==, as everybody does.
func bareEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return err
}

// All returns the messages of the other end as they come, until it is closed, or
// dead, and drained. Errors are as in [Queue.All].
func (e *End[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		each(yield, func() (T, error) { return e.Get(ctx) }, io.EOF)
	}
}

// Close closes this end: the other one gets what was put before, and then io.EOF;
// what it put and nobody got is dropped. Calls that wait here get ErrClosed.
// Further calls do nothing.
func (e *End[T]) Close() error { return e.q.Close() }

// MemoryEnd is the backend of an [End] within one process. It is safe for any
// number of callers.
type MemoryEnd struct{ e *broker.PipeEnd }

// NewMemoryPipe returns the backends of the two ends of a pipe.
func NewMemoryPipe() (a, b *MemoryEnd) {
	x, y := broker.NewPipe("")
	return &MemoryEnd{x}, &MemoryEnd{y}
}

// PutBatch implements Backend. The messages are copied.
func (e *MemoryEnd) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	return putAll(ctx, msgs, e.e)
}

// TryPutBatch implements TryPutter.
func (e *MemoryEnd) TryPutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	return tryPutAll(ctx, msgs, e.e)
}

// GetBatch implements Backend. The messages are the caller's for good.
func (e *MemoryEnd) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	return getSome(ctx, dst, e.e)
}

// TryGetBatch implements TryGetter.
func (e *MemoryEnd) TryGetBatch(ctx context.Context, dst [][]byte) (int, error) {
	return tryGetSome(ctx, dst, e.e)
}

// Close implements Closer.
func (e *MemoryEnd) Close() error {
	e.e.Close()
	return nil
}
