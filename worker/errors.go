package worker

import (
	"context"
	"errors"

	"github.com/feac4032/multiproc/task"
)

// ErrNoJob is returned by Progress for a context that is not that of a job, or
// whose job has been answered.
var ErrNoJob = errors.New("no job in this context")

// ErrCancelled is the cause (see context.Cause) with which the context of a job
// ends that its supervisor has cancelled.
var ErrCancelled error = cancellation("job cancelled")

// ErrSupervisorGone is the cause with which the contexts of running jobs end
// when the link to the supervisor does.
var ErrSupervisorGone error = cancellation("supervisor is gone")

// ErrTerminated is the cause with which the contexts of running jobs end when
// the worker is sent SIGTERM.
var ErrTerminated error = cancellation("worker terminated")

// ErrTimeout is the cause with which the context of a job ends that has run for
// longer than its time limit. It is a context.DeadlineExceeded.
var ErrTimeout error = timeout{}

// ErrUnknownTask is the failure of a job whose task this program does not define.
var ErrUnknownTask = errors.New("task is not defined in this worker")

// ErrResultTooLarge is the failure of a job whose result is larger than the
// supervisor takes.
var ErrResultTooLarge = errors.New("result too large")

// ErrNoRoom is the failure of an item of a larger job whose result finds no room
// beside those of the others.
var ErrNoRoom = task.ErrNoRoom

func init() {
	task.DefineError("worker.ErrNoJob", ErrNoJob)
	task.DefineError("worker.ErrCancelled", ErrCancelled)
	task.DefineError("worker.ErrSupervisorGone", ErrSupervisorGone)
	task.DefineError("worker.ErrTerminated", ErrTerminated)
	task.DefineError("worker.ErrTimeout", ErrTimeout)
	task.DefineError("worker.ErrUnknownTask", ErrUnknownTask)
	task.DefineError("worker.ErrResultTooLarge", ErrResultTooLarge)
}

// cancellation is a cause that is a context.Canceled too.
type cancellation string

func (c cancellation) Error() string        { return string(c) }
func (c cancellation) Is(target error) bool { return target == context.Canceled }

type timeout struct{}

func (timeout) Error() string        { return "job ran longer than its time limit" }
func (timeout) Is(target error) bool { return target == context.DeadlineExceeded }
func (timeout) Timeout() bool        { return true }
