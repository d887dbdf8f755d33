package pool

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// Program is what the workers of a class run, and for how long. Two jobs share
// workers when all fields are equal. The zero value is this program again, in
// workers that stay.
//
// A worker is replaced only between two jobs: it gets no more of them, ends those
// that it has, and what waited in it goes elsewhere in its old place. MaxJobs,
// MaxAge and IdleTimeout are shortened at random by up to a tenth, for each worker
// anew, so that workers that started together do not end together.
type Program struct {
	// Command is the worker's argv; any program that speaks ipc/PROTOCOL.md.
	// Nil = this program again, whose main must call worker.Init.
	Command []string
	// Env is its whole environment, KEY=value. Nil = this process's.
	Env []string
	// Dir is its working directory. "" = this process's.
	Dir string
	// StartTimeout bounds the time from the start to the worker's ready frame, and
	// then that of Init. 0 = 60 s.
	StartTimeout time.Duration

	// Init is run first in every worker, before any job; see InitWith. Nil = nothing.
	// A worker in which it fails has not started: it counts against Config.Restarts,
	// and the error is part of ErrRestartLimit's.
	Init *Init

	// Threads is how many jobs a worker runs at the same time. 0 = 1, at most
	// MaxThreads. A worker takes one slot all the same. When it dies, all jobs that
	// it had started share its fate; none of them counts as poison, because nobody
	// knows which it was, and those with retries left are tried again alone, in a
	// worker that has nothing else. What jobs print at the same time may be taken for
	// the other's. A program in another language may run fewer at a time.
	Threads int

	// Spares is how many more workers are kept ready than there are slots, from the
	// first job on, so that a slot whose worker has died or was replaced goes on at
	// once. 0 = none: a slot waits for a process to start.
	Spares int

	// MaxJobs is how many jobs a worker runs before it is replaced
	// (maxtasksperchild, max_tasks_per_child). 0 = any number. A tenth of 1 to 9 is
	// none: these are exact.
	MaxJobs int
	// MaxAge is how long after its start a worker gets jobs. 0 = for ever. An idle
	// one ends when it would get the next.
	MaxAge time.Duration
	// MaxMemory is how many resident bytes a worker may have after a job; with more
	// it is replaced (loky: memory leaks of workers). It bounds leaks, and is no limit
	// for a job. 0 = any number. Linux only: elsewhere it is refused.
	MaxMemory int64
	// IdleTimeout is how long a worker stays that has nothing to do (loky: timeout).
	// 0 = for ever. Spares stay.
	IdleTimeout time.Duration

	// Limits bound what each attempt may use. Nil = nothing is bounded but its output.
	// A worker with limits runs one job at a time, and is sent no other meanwhile:
	// Threads has to be 0 or 1, and Map gives it single items.
	Limits *Limits
	// Isolation is how far the workers are kept from other processes. What this machine
	// has not got of it is ErrConfine; with Lenient it is left out.
	Isolation Level
	Lenient   bool

	// StuckAfter is how long a worker with jobs may leave heartbeats unanswered
	// before it is killed: its job ends as Crashed, WhichStuck. That is for processes
	// that do not run at all, stopped or looping where no other thread runs; a job
	// that is merely slow never is meant (see Job.Timeout for those). 0 = never, and
	// then it is only told of (WorkerSilent). Programs without the capability "pong"
	// get no heartbeats.
	StuckAfter time.Duration
}

// MaxThreads is the most that Program.Threads can be.
const MaxThreads = ipc.MaxSlots

// Init is a task that prepares a worker: it loads a model, opens a database. What
// it leaves in the process's variables is there for the jobs; locks that it holds
// are released when it returns.
type Init struct {
	Task    string // its name
	Payload []byte // its argument as msgpack
}

// InitWith makes an Init of a task and its argument, which is encoded now
// (initializer, initargs). Its result is dropped. Errors are those of the encoding.
func InitWith[In, Out any](t task.Task[In, Out], in In) (*Init, error) {
	payload, err := t.EncodeIn(nil, in)
	if err != nil {
		return nil, err
	}
	return &Init{Task: t.Name(), Payload: payload}, nil
}

// check finds fields that cannot be meant.
func (p *Program) check() error {
	switch {
	case p.StartTimeout < 0 || p.MaxAge < 0 || p.IdleTimeout < 0 || p.StuckAfter < 0:
		return fmt.Errorf("program: a time is negative")
	case p.Threads < 0 || p.Threads > MaxThreads:
		return fmt.Errorf("program: Threads is %d, want 0 to %d", p.Threads, MaxThreads)
	case p.Limits != nil && p.Threads > 1:
		return fmt.Errorf("program: Threads is %d, want 1 with limits: nobody could tell which job has used what", p.Threads)
	case p.Spares < 0:
		return fmt.Errorf("program: Spares is %d, want 0 or more", p.Spares)
	case p.MaxJobs < 0:
		return fmt.Errorf("program: MaxJobs is %d, want 0 or more", p.MaxJobs)
	case p.MaxMemory < 0:
		return fmt.Errorf("program: MaxMemory is %d bytes, want 0 or more", p.MaxMemory)
	case p.MaxMemory > 0 && !canMeasure:
		return fmt.Errorf("program: MaxMemory is not available on %s", runtime.GOOS)
	case p.Init != nil && p.Init.Task == "":
		return fmt.Errorf("program: Init names no task; InitWith makes one")
	case p.Init != nil && (len(p.Init.Task) > ipc.MaxName || len(p.Init.Payload) > ipc.MaxMessage):
		return fmt.Errorf("program: Init is too large: %w", ipc.ErrTooLarge)
	}
	if err := p.Limits.check(); err != nil {
		return fmt.Errorf("program: %w", err)
	}
	if err := checkLevel(p.Isolation); err != nil {
		return fmt.Errorf("program: %w", err)
	}
	return nil
}

// key is equal for programs whose jobs share workers.
func (p *Program) key() string {
	init := ""
	if p.Init != nil {
		init = p.Init.Task + "\x00" + string(p.Init.Payload)
	}
	var limits Limits
	if p.Limits != nil {
		limits = *p.Limits
	}
	return strings.Join([]string{
		strings.Join(p.Command, "\x00"), strings.Join(p.Env, "\x00"), p.Dir, init,
		fmt.Sprint(p.Env == nil, p.Init == nil, p.StartTimeout, p.Threads, p.Spares, p.MaxJobs, p.MaxAge, p.MaxMemory, p.IdleTimeout, p.StuckAfter),
		fmt.Sprint(p.Limits == nil, limits, p.Isolation, p.Lenient),
	}, "\x00\x00")
}
