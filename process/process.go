package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/worker"
)

// Process is a process, from before its start until after its end; it is made by
// New, as a part of a Call, or by Command. All methods may be called by many
// goroutines at once. Process of Python's multiprocessing.
type Process struct {
	name   string
	opts   options
	optErr error
	work   work
	done   chan struct{}
	own    atomic.Pointer[owner.Owner] // what its task holds is this one's; nil before Start, and for a command

	mu      sync.Mutex
	state   state
	run     *run // nil before it runs
	outcome *outcome
}

// state is where a process is in its life.
type state uint8

const (
	fresh state = iota
	starting
	running
	ended
	closed
)

// work is what a process is for: a task or a command.
type work interface {
	// prepare does what can fail before anything is started.
	prepare(o *options) error
	// start starts the process.
	start(g *spawn.Guardian, r *run) error
}

var made atomic.Uint64 // processes, so far

func newProcess(w work, opts []Option) *Process {
	p := &Process{work: w, done: make(chan struct{})}
	p.opts.name = childName(made.Add(1))
	p.opts.killAfter = defaultKillAfter
	var errs []error
	for _, o := range opts {
		errs = append(errs, o(&p.opts))
	}
	p.name, p.optErr = p.opts.name, errors.Join(errs...)
	return p
}

// Start starts the process, and returns when it runs, or cannot. ctx is its
// lifetime: when that ends, so does the process with its tree, by SIGTERM, and
// after WithKillAfter by SIGKILL.
//
// Errors: ErrStarted for the second call; ErrClosed; ErrNoMain; ErrOption; that
// of ctx if it has ended; that of encoding the argument (a *task.ValueError names
// the part; ipc.ErrTooLarge); that of finding or executing the program (such as
// fs.ErrNotExist, exec.ErrNotFound); the system's. After any of them but the
// first two nothing was started, and Start may be called again. What goes wrong
// later comes from Join. start in Python.
func (p *Process) Start(ctx context.Context) error {
	if p.done == nil {
		return fmt.Errorf("start: %w: a Process is made by New or Command", ErrNotStarted)
	}
	if err := p.claim(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	r, err := p.launch(ctx)
	p.mu.Lock()
	if err != nil {
		p.state = fresh
		p.mu.Unlock()
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.state, p.run, p.work = running, r, nil
	if r.x != nil {
		p.own.Store(r.x.own)
	}
	enter(p)
	p.mu.Unlock()
	unhook := context.AfterFunc(ctx, func() { r.expire(overError(ctx)) })
	go func() {
		o := r.follow()
		unhook()
		p.end(o)
	}()
	return nil
}

// claim makes the caller the only one who starts.
func (p *Process) claim() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.state {
	case fresh:
		p.state = starting
		return nil
	case closed:
		return ErrClosed
	}
	return ErrStarted
}

func (p *Process) launch(ctx context.Context) (*run, error) {
	if !worker.Entered() {
		return nil, ErrNoMain
	}
	if ctx.Err() != nil {
		return nil, overError(ctx)
	}
	if p.optErr != nil {
		return nil, p.optErr
	}
	if err := p.work.prepare(&p.opts); err != nil {
		return nil, err
	}
	r := &run{name: p.name, opts: p.opts}
	if r.opts.env == nil {
		r.opts.env = os.Environ()
	}
	var err error
	if r.opts.dir, err = filepath.Abs(r.opts.dir); err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	g, err := guardian()
	if err != nil {
		return nil, err
	}
	if r.out, err = openOutputs(r.opts.streams()); err != nil {
		return nil, err
	}
	err = p.work.start(g, r)
	r.out.started()
	if err != nil {
		r.out.abandon()
		return nil, err
	}
	return r, nil
}

// end gives back what the process holds before anybody can see that it has ended.
func (p *Process) end(o *outcome) {
	if own := p.own.Load(); own != nil {
		own.End(o.join())
	}
	p.mu.Lock()
	p.state, p.outcome, p.run = ended, o, nil
	p.mu.Unlock()
	leave(p)
	close(p.done)
}

// wait returns the outcome of a process that has ended.
func (p *Process) wait(ctx context.Context) (*outcome, error) {
	p.mu.Lock()
	state, o := p.state, p.outcome
	p.mu.Unlock()
	switch state {
	case fresh, starting:
		return nil, fmt.Errorf("%s: %w", p.name, ErrNotStarted)
	case closed:
		return nil, fmt.Errorf("%s: %w", p.name, ErrClosed)
	case ended:
		return o, nil
	}
	switch done, err := p.await(ctx); {
	case err != nil:
		return nil, fmt.Errorf("join %s: %w", p.name, err)
	case !done:
		return nil, fmt.Errorf("%s: %w: %w", p.name, ErrAlive, overError(ctx))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outcome == nil {
		return nil, fmt.Errorf("%s: %w", p.name, ErrClosed)
	}
	return p.outcome, nil
}

// Join waits until the process has ended, and returns its outcome: nil, or an
// *ExitError. Anybody may join, as often as they like; all get the same.
//
// If ctx ends first, the error is ErrAlive and that of ctx, both by errors.Is,
// and the process goes on. Before Start the error is ErrNotStarted, after Close
// ErrClosed. It is ErrDeadlock if the process's task waits, through whatever
// others, for something that the owner of ctx holds, or comes to wait for it
// without a choice. join(timeout) in Python.
func (p *Process) Join(ctx context.Context) error {
	o, err := p.wait(ctx)
	if err != nil {
		return err
	}
	return o.join()
}

// Done returns a channel that is closed when the process has ended, its tree is
// empty and its output was copied; or when it was closed without having been
// started. sentinel in Python.
func (p *Process) Done() <-chan struct{} { return p.done }

// Alive reports whether the process was started and Done is not closed. is_alive
// in Python.
func (p *Process) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == running
}

// ExitCode returns how the process ended: n for exit code n, −n for signal n,
// and 1 if its task returned an error or panicked. ok is false as long as it has
// not ended, after Close, and if its end was not seen (ExitError.Lost). exitcode
// in Python.
func (p *Process) ExitCode() (code int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != ended {
		return 0, false
	}
	return p.outcome.code, !p.outcome.lost
}

// PID returns the process id, 0 before Start and after Close. Once Done is
// closed the id may belong to another process.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.state {
	case running:
		return p.run.proc.PID()
	case ended:
		return p.outcome.pid
	}
	return 0
}

// Name returns the name given by WithName, or Process-1, Process-2, …; in a worker
// the name of that comes first: the children of Process-1 are Process-1:1,
// Process-1:2, …. name in Python.
func (p *Process) Name() string { return p.name }

// Daemon reports whether WithDaemon was given. daemon in Python.
func (p *Process) Daemon() bool { return p.opts.daemon }

// Terminate sends SIGTERM to the process and all its descendants, and returns.
// A task sees its context cancelled, with the cause worker.ErrTerminated, and
// has as long as it needs; one that does not look goes on until Kill. Off Unix it
// is Kill.
//
// Like Kill and Interrupt it does nothing when the process has ended, and
// returns ErrNotStarted before Start, ErrClosed after Close, or, very rarely, why
// the signal could not be handed to the guardian.
func (p *Process) Terminate() error { return p.signal("terminate", (*run).terminate) }

// Kill sends SIGKILL to the process and all its descendants, also those that
// have left its session, and returns.
func (p *Process) Kill() error { return p.signal("kill", (*run).killAll) }

// Interrupt cancels the context of a task, with the cause worker.ErrCancelled,
// and sends SIGINT to a command and all its descendants: what Ctrl-C means to
// them. It returns at once. The tree of a worker program that does not know how
// to cancel gets SIGINT too.
func (p *Process) Interrupt() error { return p.signal("interrupt", (*run).interrupt) }

func (p *Process) signal(verb string, send func(*run) error) error {
	p.mu.Lock()
	state, r := p.state, p.run
	p.mu.Unlock()
	var err error
	switch state {
	case fresh, starting:
		err = ErrNotStarted
	case closed:
		err = ErrClosed
	case running:
		err = send(r)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, p.name, err)
	}
	return nil
}

// expire ends the lifetime, if the process runs.
func (p *Process) expire(why error) {
	p.mu.Lock()
	r := p.run
	p.mu.Unlock()
	if r != nil {
		r.expire(why)
	}
}

// Close gives back what the process still holds in memory: its outcome with the
// result. While it is being started or runs, the error is ErrAlive, and nothing
// happens. After it every method that returns an error returns ErrClosed, but
// Close itself, which may be called again. A Process need not be closed. close
// in Python.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.state {
	case starting, running:
		return fmt.Errorf("close %s: %w", p.name, ErrAlive)
	case fresh:
		if p.done != nil {
			close(p.done)
		}
	}
	p.state, p.outcome, p.work = closed, nil, nil
	return nil
}
