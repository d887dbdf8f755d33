package pool

import (
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/task"
)

// Job is a unit of work as the pool sees it: a task for a warm worker, or a
// command in a process tree of its own. Submit and Call make jobs of typed tasks;
// a program that dispatches work of any kind fills one in and hands it to
// Pool.Go. A Job belongs to the pool from then until Done has been called.
type Job struct {
	// Task is the name of a task that the program's workers define. Empty for a
	// command.
	Task string
	// Payload is the task's argument as msgpack, at most ipc.MaxMessage bytes.
	Payload []byte
	// Items is how many arguments Payload has: with more than 0 it is an array of
	// them, at most ipc.MaxItems, and the task's function is called for each in
	// turn, in one attempt. Map and Unordered make such jobs. Result.Value is then
	// the payload of a result of many items, as ipc/PROTOCOL.md describes it. A
	// worker that takes no such jobs makes the job fail with ErrItems.
	Items int
	// Program is what the worker runs. Jobs with equal programs share workers.
	// Nil = Config.Program. Ignored for a command.
	Program *Program

	// Command is what to start. Nil for a task.
	Command *Command

	// Prepare, if not nil, is called before every attempt, from one of the pool's
	// goroutines, once the slot is known, and fills in Payload or Command. An
	// error ends the job as Failed.
	Prepare func(j *Job, attempt, slot int) error

	// Slots is how many slots an attempt takes, for its whole time; 0 = 1. A job that
	// takes several gets the slots that become free, one by one, once all that stood
	// ahead of it in its class have started, and it has waited longer than the first
	// job of any other class: narrow ones do not starve it, and have all slots but
	// those that it has got. Result.Slot is the lowest. As a task it is alone in its
	// worker. More than the pool has is ErrJob; see Resize for one that waits when it
	// comes to that.
	Slots int

	// Priority orders the jobs of a class that wait: higher ones first, equal ones
	// first come, first served. It does not order classes.
	Priority int

	// Label names the job in errors and logs, and in the worker, such as
	// "resize#12". At most ipc.MaxName bytes.
	Label string
	// Key is handed to the worker for idempotency. At most ipc.MaxName bytes.
	Key string

	// Timeout bounds one attempt, from its start in the worker. 0 = none. At its
	// end a task's context is cancelled, a command's tree gets SIGTERM and
	// SIGCONT; KillAfter later the tree is killed.
	Timeout time.Duration
	// KillAfter is the time between asking and killing. 0 = 5 s.
	KillAfter time.Duration

	// Retry says which attempts are followed by another. The zero value is none.
	Retry Retry

	// Started, if not nil, is called once for an attempt, when it is known that it
	// has started in a worker, or as a process: at once, or when it has run for a
	// moment, or just before it ends. It must not block.
	Started func(j *Job, attempt, slot int, worker string, pid int)
	// Retrying, if not nil, is called when an attempt will be followed by another
	// one, after the given time. The Result is valid during the call.
	Retrying func(j *Job, r *Result, after time.Duration)
	// Again, if not nil, is called when the time after Retrying is over, in place of
	// queueing the job: it then waits, without a slot, until its owner calls
	// Pool.Again, as one does that gives away more than slots. It can be cancelled
	// meanwhile. It must not block: the end of a job that is cancelled waits for it.
	Again func(j *Job)
	// Output, if not nil, is called with what an attempt writes to stdout or stderr:
	// by a command while it writes it, by a task about every 100 ms and at its end, or
	// only then when its worker runs several jobs at a time. The bytes of a stream come
	// in their order, at most 64 KiB in a call, all of an attempt before its Retrying
	// or Done, and never two calls at a time; p is valid during the call. One that
	// blocks holds up what the attempt writes, and its end, and nothing of other jobs
	// but those in the same worker. The Result has all of it, too.
	Output func(j *Job, stderr bool, p []byte)
	// Progress, if not nil, is called with what the task reports by worker.Progress,
	// as msgpack, in order. The payload is valid during the call. It must not block.
	Progress func(j *Job, payload []byte)
	// Done is called exactly once, from one of the pool's goroutines. The Result,
	// its outputs above all, is valid during the call. While it blocks, the
	// worker that ran the job makes no progress.
	Done func(j *Job, r *Result)

	// Tag is the caller's.
	Tag any

	future  ending // is told of the end in place of Done
	pending pendingState
}

// beingWritten reports whether the bytes of the payload may still be read, though
// the job has ended: a worker may answer before it has got all of it.
func (j *Job) beingWritten() bool { return atomic.LoadInt32(&j.pending.writing) != 0 }

// ending is a Future, whatever its type.
type ending interface {
	end(*Job, *Result)
	endWith(*Job, []byte) // the job has ended well, and there is no more to tell than this value
}

// ended tells whoever waits for the end of the job.
func (j *Job) ended(r *Result) {
	if j.future != nil {
		j.future.end(j, r)
		return
	}
	j.Done(j, r)
}

// Command is a program to run for one job.
type Command struct {
	Argv  []string // the program, looked up in the PATH of Env, and its arguments
	Env   []string // its whole environment, KEY=value; later entries win
	Dir   string   // working directory; "" = this process's
	Stdin []byte   // text for its standard input; nil = /dev/null
	// StdinPath is a file for its standard input. It wins over Stdin.
	StdinPath string
	// OKExit lists the exit codes that count as success. Nil = 0 alone.
	OKExit []int

	// Limits bound what the command's tree may use. Nil = nothing is bounded but its
	// output.
	Limits *Limits
	// Isolation is how far the tree is kept from other processes. What this machine has
	// not got of it is ErrConfine; with Lenient it is left out.
	Isolation Level
	Lenient   bool
}

// Retry is the rule by which a failed attempt is tried again.
type Retry struct {
	// Max is how many attempts may follow the first.
	Max int
	// When decides whether an attempt that ended so is worth another. Nil = Failed,
	// Crashed and TimedOut are.
	When func(r *Result) bool
	// Backoff is the time before the second attempt; each further one waits Factor
	// times as long, at most MaxBackoff, all of them changed at random by up to
	// the fraction Jitter. Zero = 1 s, 2, 5 min; a Jitter of 0 is none.
	// A job that waits holds no slot.
	Backoff    time.Duration
	Factor     float64
	MaxBackoff time.Duration
	Jitter     float64
	// NoBackoff tries again at once.
	NoBackoff bool
}

// Result is the end of one attempt; that of the last is the end of the job.
type Result struct {
	Outcome  Outcome
	Which    string // refines the outcome: a Which… constant or a limit's name
	Evidence string // what the outcome was concluded from, for people

	// Limit is what was allowed, of an attempt that is Limited, and Observed what was
	// seen, which is the same where the kernel let nothing more happen: bytes, numbers,
	// or nanoseconds of CPU time. EnforcedBy is who held the limit: "cgroup v2",
	// "cgroup v1", "rlimit", "watchdog", "supervisor".
	Limit, Observed int64
	EnforcedBy      string

	// Value is the task's result as msgpack. Nil for commands and without one.
	Value []byte
	// Failure is the error of a task that returned one or panicked.
	Failure *task.Failure

	// ExitCode is that of the process: a command's, or a worker's that ended under
	// the job. −1 when there is none, as after a signal.
	ExitCode int
	// Signal ended the process; 0 = none did.
	Signal int
	Core   bool // it left a core dump

	Attempt int    // this one, from 1
	Slot    int    // from 1
	Worker  string // such as "worker-3"; "" for commands
	PID     int    // of the process that ran it, 0 when none did

	Start time.Time     // when the attempt was given away
	Wall  time.Duration // from then, or from its start in the worker when that is known, to its end
	CPU   time.Duration // user and system time of the attempt's tree; 0 = not known, as for tasks without Limits
	Peak  int64         // its peak of resident bytes; 0 = not known, as for tasks without Limits
	// PeakSource is how that was measured; "" = it was not. "ru_maxrss" is the largest
	// single process of the tree.
	PeakSource string

	// Isolation names what has kept the process from others, once it has ended. Nil =
	// a session of its own, or not known.
	Isolation []string

	// Stdout and Stderr are what the attempt wrote.
	Stdout, Stderr Output

	// Leaked lists processes of the attempt that could not be ended.
	Leaked []int

	// Item is the index of the item of a job of many that was under way when the
	// worker ended; −1 = not known, or no such job.
	Item int

	err   error  // the cause of an Internal or Failed outcome, when it has a type
	item  uint64 // as the page tells it, from 1; 0 = not known
	items itemResults
}
