package thread

import (
	"context"
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/internal/owner"
)

// Errors of calls that come too early or too late.
var (
	// ErrNotStarted comes from joining or ending a thread before Start.
	ErrNotStarted = errors.New("thread is not started")
	// ErrStarted comes from starting a thread for the second time.
	ErrStarted = errors.New("thread was started before")
	// ErrAlive comes from Join when its context ended first, together with that
	// context's error, and from Close while the thread runs.
	ErrAlive = errors.New("thread is alive")
	// ErrClosed comes from every method after Close.
	ErrClosed = errors.New("thread is closed")
	// ErrOption comes from Start for an option, or a function, that cannot be meant.
	ErrOption = errors.New("bad option")
)

// ErrDeadlock comes from a Join that would never end, as a *DeadlockError, which
// says who waits for what.
var ErrDeadlock = owner.ErrDeadlock

// DeadlockError is a cycle of waits for locks and for the ends of threads and
// processes.
type DeadlockError = owner.DeadlockError

// Causes (see context.Cause) of the end of a thread's context. Both are
// context.Canceled.
var (
	// ErrTerminated is the cause after Terminate.
	ErrTerminated error = cancellation("thread terminated")
	// ErrInterrupted is the cause after Interrupt.
	ErrInterrupted error = cancellation("thread interrupted")

	errEnded error = cancellation("thread has ended")
)

// cancellation is a cause that is a context.Canceled too.
type cancellation string

func (c cancellation) Error() string        { return string(c) }
func (c cancellation) Is(target error) bool { return target == context.Canceled }

// ExitError is the outcome of a thread whose function did not return nil.
type ExitError struct {
	Name string // of the thread

	// Code is what ExitCode returns: 1.
	Code int

	// Err is what the function returned; a *task.PanicError with the stack if it
	// panicked; task.ErrGoexit if it called runtime.Goexit.
	Err error
}

func (e *ExitError) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *ExitError) Unwrap() error { return e.Err }

// overError is why ctx is over: its error, and its cause if that is another.
func overError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
