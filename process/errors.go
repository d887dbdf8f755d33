package process

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/death"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/task"
)

// Errors of calls that come too early, too late, or in the wrong program.
var (
	// ErrNotStarted comes from joining or signalling a process before Start.
	ErrNotStarted = errors.New("process is not started")
	// ErrStarted comes from starting a process for the second time.
	ErrStarted = errors.New("process was started before")
	// ErrAlive comes from Join and Result when their context ended first, together
	// with that context's error, and from Close while the process runs.
	ErrAlive = errors.New("process is alive")
	// ErrClosed comes from every method after Close.
	ErrClosed = errors.New("process is closed")
	// ErrNoMain comes from Start in a program whose main has not called Main,
	// worker.Init or worker.Main: the children, being the same program, would run
	// main again instead of their task.
	ErrNoMain = errors.New("this program must call process.Main or worker.Init first in its main")
	// ErrOption comes from Start for an option that cannot be meant.
	ErrOption = errors.New("bad option")
)

// ErrDeadlock comes from a Join or Result that would never end, as a
// *DeadlockError, which says who waits for what.
var ErrDeadlock = owner.ErrDeadlock

// DeadlockError is a cycle of waits for locks and for the ends of threads and
// processes.
type DeadlockError = owner.DeadlockError

// Errors inside an ExitError.
var (
	// ErrNotReady says that the program did not act as a worker within the start
	// timeout. It has been killed.
	ErrNotReady = child.ErrNotReady
	// ErrNoResult says that the process ended, with whatever exit code, before its
	// task had returned.
	ErrNoResult = errors.New("process ended without a result")
)

// ExitError is the outcome of a process that did not do what it was started for:
// a task that returned an error or panicked, an exit code other than 0, a signal,
// a violation of the protocol, a result that never came.
//
// errors.Is finds in it what the task returned, if both sides know that by
// task.DefineError; the error of the context that was the process's lifetime, if
// that ended first; ErrLimit; ErrNotReady; ErrNoResult; and ipc.ErrProtocol.
type ExitError struct {
	Name string
	PID  int
	Task string // the task's name, "" for a command

	// Code is what ExitCode returns: −N after signal N, 1 if the task returned an
	// error or panicked.
	Code   int
	Signal syscall.Signal // that ended the process, or 0
	Core   bool           // it left a core dump

	// Lost says that how the process ended was not seen: its guardian was killed,
	// and it with that. Code and Signal are then 0.
	Lost bool

	// Failure is the error or panic of the task, with the stack of the panic. Nil
	// if the task did not get that far.
	Failure *task.Failure

	// Stderr is the end of what the process wrote to stderr, at most 4 KiB.
	Stderr string

	// Leaked lists processes of the tree that could not be killed.
	Leaked []int

	// Err is what else is known about the cause, nil if nothing is.
	Err error
}

// Error is one line, but for a failure that has more.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (pid %d)", e.Name, e.PID)
	if e.Failure != nil {
		fmt.Fprintf(&b, ": task %s: %s", e.Task, e.Failure.Error())
		return b.String()
	}
	switch {
	case e.Lost:
		b.WriteString(" was lost with the guardian")
	case e.Signal != 0:
		b.WriteString(" was ended by " + signalName(e.Signal))
	default:
		fmt.Fprintf(&b, " exited with code %d", e.Code)
	}
	switch {
	case e.Err == ErrNoResult:
		b.WriteString(" without a result")
	case e.Err != nil:
		b.WriteString(": " + e.Err.Error())
	}
	if words := death.Read([]byte(e.Stderr)).String(); words != "" {
		b.WriteString(": " + words)
	}
	return b.String()
}

// Unwrap returns Failure and Err, as far as they are set.
func (e *ExitError) Unwrap() []error {
	var causes []error
	if e.Failure != nil {
		causes = append(causes, e.Failure)
	}
	if e.Err != nil {
		causes = append(causes, e.Err)
	}
	return causes
}

// overError is why ctx is over: its error, and its cause if that is another.
func overError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
