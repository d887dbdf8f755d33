package pool

import (
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/manager"
)

// Config says how a pool works. The zero value is a pool of this program's own
// tasks with one worker for each CPU that the process may use.
type Config struct {
	// Workers is the number of slots: how many workers and commands run jobs at the
	// same time. 0 = the CPUs that this process may use. Resize changes it.
	Workers int

	// Program is what a job runs in that names none, and how long its workers stay.
	Program Program

	// Retry is for jobs of Submit, Call, Map and Unordered without WithRetry. The
	// zero value is none.
	Retry Retry

	// MaxWindow bounds how many jobs a worker may have been sent that are not yet
	// answered. 0 = 1024. The window adapts below it to the time that jobs take:
	// deep for microseconds, 1 from a few milliseconds on.
	MaxWindow int

	// Restarts and Within bound the deaths of workers that had not started a job, one
	// after the other, in a class: more than Restarts within Within and its jobs end
	// with ErrRestartLimit. 0 = 5, and 0 = 30 s.
	Restarts int
	Within   time.Duration

	// Manager has the objects that workers may ask for. Nil = none: they get
	// manager.ErrNoManager. It stays the caller's to close.
	Manager *manager.Manager

	// SpillDir is a folder for outputs that do not fit in memory; the files have
	// no names. "" = the system's folder for temporary files.
	SpillDir string

	// MaxOutput bounds what one attempt may write, stdout and stderr together, in
	// bytes, where no Limits of its own do. 0 = 1 GiB. Beyond it the attempt is killed:
	// Limited.
	MaxOutput int64

	// Stdout and Stderr receive what jobs of Submit and Call write, whole after
	// each job. Nil = this process's. Jobs of Go get it in their Result.
	Stdout, Stderr io.Writer

	// Logger receives what the pool does, and the lines that tasks write with
	// worker.Logger, with the worker and the job. Nil = none. A Logger that blocks
	// holds up the worker.
	Logger hclog.Logger

	// OnWorker, if not nil, is told of every worker's start and end, and of its not
	// answering. It must not block.
	OnWorker func(WorkerEvent)

	// OnLog, if not nil, receives the workers' log lines, and what they print
	// outside of a job. It must not block.
	OnLog func(LogEvent)

	// Guardian is a guardian to share. Nil = the pool starts one of its own.
	Guardian *spawn.Guardian

	ownLogger bool // Logger is the caller's

	fakes     *fakes                            // nil = none; set by tests
	frameTime func(time.Duration) time.Duration // see child.Options; set by tests
	jobTime   func(time.Duration) time.Duration // changes what a job was measured to take; set by tests
}

// WorkerEventKind is what has happened to a worker.
type WorkerEventKind uint8

const (
	WorkerReady     WorkerEventKind = iota // it takes jobs
	WorkerExited                           // it has ended
	WorkerSilent                           // it has jobs, and has not answered a heartbeat for 15 s, or half of Program.StuckAfter
	WorkerRecovered                        // and now it has
)

// WorkerEvent is a worker's start or end, or what lies between.
type WorkerEvent struct {
	Time     time.Time
	Kind     WorkerEventKind
	Worker   string
	PID      int
	Slot     int
	ExitCode int // −1 after a signal
	Signal   int
	Evidence string // why it ended
	Job      string // label of the job that it ended under, or runs, "" for none
}

// LogEvent is a line that a worker sent.
type LogEvent struct {
	Time    time.Time
	Worker  string
	Job     string // label, "" outside of a job
	Stream  string // "stdout" or "stderr": text that the worker printed outside of a job; "" for a log line
	Level   hclog.Level
	Message string
	Fields  []byte // msgpack array of keys and values in turn, or empty
}
