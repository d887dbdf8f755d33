package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/ipc"
)

// Errors of every operation, wrapped with the queue's name: test with errors.Is.
var (
	// ErrClosed comes from a put after Close or Shutdown, and from a get when
	// the queue is closed and drained. It is Python's ShutDown and the EOFError
	// of a connection.
	ErrClosed = errors.New("closed")

	// ErrLost comes when the other side ended in the middle of an item, sent
	// what is no item, or has closed the end that a put wrote to.
	ErrLost = errors.New("connection lost")

	// ErrTooLarge comes from a put of an item of more than MaxItem bytes.
	// Nothing was sent.
	ErrTooLarge = ipc.ErrTooLarge

	// ErrUnsupported comes from an operation that the queue's backend does not
	// have, such as Len over a pipe. It is also an [errors.ErrUnsupported].
	ErrUnsupported = fmt.Errorf("not possible with this backend: %w", errors.ErrUnsupported)
)

// Errors of the calls that do not wait.
var (
	// ErrWouldBlock is what ErrFull and ErrEmpty both are.
	ErrWouldBlock = errors.New("would block")

	// ErrFull comes from TryPut when a Put would wait; Python's queue.Full.
	ErrFull = fmt.Errorf("full: %w", ErrWouldBlock)

	// ErrEmpty comes from TryGet when a Get would wait; Python's queue.Empty.
	ErrEmpty = fmt.Errorf("empty: %w", ErrWouldBlock)
)

// ItemError comes from a get whose item does not decode into the queue's type.
// That item is spent, and the next get returns the next one. Err is usually a
// *task.ValueError.
type ItemError struct{ Err error }

func (e *ItemError) Error() string { return e.Err.Error() }

func (e *ItemError) Unwrap() error { return e.Err }

// ended is the error of a call whose context ended: the context's own, and the
// cause if it has another one.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
