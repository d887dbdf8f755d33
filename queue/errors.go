package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/ipc"
)

// Errors of every operation, wrapped with the queue's name: test with errors.Is.
var (
	// ErrClosed comes from a put after Close or Shutdown, and from a get when
	// the queue is closed and drained. It is Python's ShutDown and the EOFError
	// of a connection.
	ErrClosed = broker.ErrClosed

	// ErrLost comes when the other side ended in the middle of an item, sent
	// what is no item, or has closed the end that a put wrote to.
	ErrLost = broker.ErrLost

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
	ErrWouldBlock = broker.ErrWouldBlock

	// ErrFull comes from TryPut when a Put would wait; Python's queue.Full.
	ErrFull = broker.ErrFull

	// ErrEmpty comes from TryGet when a Get would wait; Python's queue.Empty.
	ErrEmpty = broker.ErrEmpty
)

// Errors of joinable queues.
var (
	// ErrNoOwner comes from a lease with a context that carries no owner, of
	// which it could be.
	ErrNoOwner = broker.ErrNoOwner

	// ErrEnded comes when the owner of the context has ended.
	ErrEnded = broker.ErrEnded

	// ErrTooManyDone comes from Done, Return or TaskDone for an item that the
	// owner does not have; Python's ValueError of task_done.
	ErrTooManyDone = broker.ErrTooManyDone
)

// Errors of references, when a queue is sent to another process or opened there.
var (
	// ErrNotShared comes from a put, or a submit, of a queue that is not one of a
	// manager: only those travel.
	ErrNotShared = broker.ErrNotShared

	// ErrMismatch comes when a reference is received as something else than it is:
	// another kind of object, or one of another item type.
	ErrMismatch = broker.ErrMismatch
)

// errZero comes from every operation of a zero value, which has no backend.
var errZero = errors.New("zero value: it was neither made nor received")

// ItemError comes from a get whose item does not decode into the queue's type.
// That item is spent, and the next get returns the next one. Err is usually a
// *task.ValueError.
type ItemError struct{ Err error }

func (e *ItemError) Error() string { return e.Err.Error() }

func (e *ItemError) Unwrap() error { return e.Err }

// ended is the error of a call whose context has ended: the context's own, and
// the cause if it has another one.
func ended(ctx context.Context) error { return broker.Ended(ctx) }
