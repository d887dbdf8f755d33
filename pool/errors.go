package pool

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/task"
)

// Errors of the pool itself.
var (
	// ErrClosed comes from submitting to a pool that is closing or closed.
	ErrClosed = errors.New("pool is closed")
	// ErrRestartLimit ends the jobs of a class whose workers keep dying before
	// they have started a job.
	ErrRestartLimit = errors.New("restart limit reached")
	// ErrNoMain comes from New in a program whose main has not called process.Main,
	// worker.Init or worker.Main: its guardian and workers, being the same program,
	// would run main again.
	ErrNoMain = errors.New("this program must call process.Main or worker.Init first in its main")
	// ErrTimeout is what a TimeoutError is.
	ErrTimeout = errors.New("timeout")
	// ErrCancelled is what a job's error is that was cancelled.
	ErrCancelled = errors.New("cancelled")
	// ErrItems ends a job of many items that has come to a worker which takes none.
	ErrItems = errors.New("worker takes no jobs of many items")
	// ErrLimit is what a LimitError is.
	ErrLimit = errors.New("limit exceeded")
	// ErrJob comes from Pool.Go for a Job that cannot be run.
	ErrJob = errors.New("bad job")
)

// TaskError is the error of a task that returned one or panicked, in its worker:
// Type, Msg, Stage, Panic and Stack are those of the Failure that came over the
// wire. errors.Is finds the sentinels that both sides know by task.DefineError.
type TaskError struct {
	Task    string
	Job     string // label
	Attempt int
	Worker  string
	*task.Failure
}

func (e *TaskError) Error() string {
	var b strings.Builder
	if e.Job != "" {
		b.WriteString(e.Job)
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "task %s: %s", e.Task, e.Failure.Error())
	return b.String()
}

// Unwrap returns the error that came over the wire.
func (e *TaskError) Unwrap() error { return e.Failure }

// WorkerLostError is the error of a job under which its worker ended.
type WorkerLostError struct {
	Task       string
	Worker     string
	PID        int
	Job        string // label
	Outcome    Outcome
	Which      string
	ExitCode   int // −1 after a signal
	Signal     int // 0 = none
	Evidence   string
	StderrTail string
	Poisoned   bool
}

func (e *WorkerLostError) Error() string {
	s := e.Evidence
	if e.Poisoned {
		s += "; it is the second worker that this job has ended"
	}
	if e.Job == "" {
		return "task " + e.Task + ": " + s
	}
	return e.Job + ": " + s
}

// TimeoutError is the error of a job whose attempt took too long.
type TimeoutError struct {
	Task     string // "" for a command
	Job      string // label
	Attempt  int
	Worker   string // "" for a command
	Timeout  time.Duration
	Evidence string // also whether it had to be killed
}

func (e *TimeoutError) Error() string {
	switch {
	case e.Job != "":
		return e.Job + ": " + e.Evidence
	case e.Task != "":
		return "task " + e.Task + ": " + e.Evidence
	}
	return e.Evidence
}

// Is reports that a TimeoutError is an ErrTimeout.
func (e *TimeoutError) Is(target error) bool { return target == ErrTimeout }

// LimitError is the error of a job whose attempt went over a limit. What errors.As
// finds in it besides is a *WorkerLostError where the task's worker was killed, or
// a *TaskError where its function has returned the error.
type LimitError struct {
	Task    string // "" for a command
	Job     string // label
	Attempt int
	Worker  string // "" for a command
	// Which is the limit: WhichMemory and the others. Limit and Observed are bytes,
	// numbers, or nanoseconds of CPU time.
	Which           string
	Limit, Observed int64
	EnforcedBy      string // as Result.EnforcedBy
	Evidence        string

	err error
}

func (e *LimitError) Error() string {
	s := fmt.Sprintf("limit of %s exceeded (%s): %s", e.Which, spawn.Quantity(e.Which, e.Limit), e.Evidence)
	switch {
	case e.Job != "":
		return e.Job + ": " + s
	case e.Task != "":
		return "task " + e.Task + ": " + s
	}
	return s
}

// Is reports that a LimitError is an ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// Unwrap returns the error of the worker or the task, nil for a command.
func (e *LimitError) Unwrap() error { return e.err }

// limitError is the error of an attempt that is Limited.
func (r *Result) limitError(j *Job) error {
	e := &LimitError{
		Task: j.Task, Job: j.Label, Attempt: r.Attempt, Worker: r.Worker, Which: r.Which,
		Limit: r.Limit, Observed: r.Observed, EnforcedBy: r.EnforcedBy, Evidence: r.Evidence,
	}
	switch {
	case r.Failure != nil:
		e.err = r.taskError(j)
	case j.Command == nil:
		e.err = r.lostError(j)
	}
	return e
}

func (r *Result) taskError(j *Job) *TaskError {
	return &TaskError{Task: j.Task, Job: j.Label, Attempt: r.Attempt, Worker: r.Worker, Failure: r.Failure}
}

func (r *Result) lostError(j *Job) *WorkerLostError {
	return &WorkerLostError{
		Task: j.Task, Worker: r.Worker, PID: r.PID, Job: j.Label, Outcome: r.Outcome, Which: r.Which,
		ExitCode: r.ExitCode, Signal: r.Signal, Evidence: r.Evidence,
		StderrTail: string(r.Stderr.Tail(4 << 10)), Poisoned: r.Outcome == Poisoned,
	}
}

// Err returns the error of an attempt, nil when it was OK: a *TaskError,
// *WorkerLostError, *TimeoutError, *LimitError, or one that is ErrCancelled or, for
// commands, says what the process did.
func (r *Result) Err(j *Job) error {
	switch r.Outcome {
	case OK:
		return nil
	case TimedOut:
		return &TimeoutError{Task: j.Task, Job: j.Label, Attempt: r.Attempt, Worker: r.Worker, Timeout: j.Timeout, Evidence: r.Evidence}
	case Cancelled:
		return fmt.Errorf("%s: %w", label(j), ErrCancelled)
	case Failed:
		if r.Failure != nil {
			return r.taskError(j)
		}
		if r.err != nil {
			return fmt.Errorf("%s: %w", label(j), r.err)
		}
	case Limited:
		return r.limitError(j)
	case Crashed, Poisoned, Protocol:
		if j.Command == nil {
			return r.lostError(j)
		}
	case Internal:
		if r.err != nil {
			return fmt.Errorf("%s: %w", label(j), r.err)
		}
	}
	return fmt.Errorf("%s: %s: %s", label(j), r.Outcome, r.Evidence)
}

func label(j *Job) string {
	switch {
	case j.Label != "":
		return j.Label
	case j.Task != "":
		return "task " + j.Task
	case j.Command != nil && len(j.Command.Argv) > 0:
		return j.Command.Argv[0]
	}
	return "job"
}
