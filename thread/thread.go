package thread

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/task"
)

// Thread is a function on a goroutine of its own, from before its start until
// after its end; it is made by New or NewRunner. All methods may be called by
// many goroutines at once. Thread of Python's threading.
type Thread struct {
	name   string
	daemon bool
	f      func(context.Context) error
	optErr error
	own    *owner.Owner
	done   chan struct{}

	mu      sync.Mutex
	state   state
	cancel  context.CancelCauseFunc // set while it runs
	outcome error                   // nil, or an *ExitError
}

// state is where a thread is in its life.
type state uint8

const (
	fresh state = iota
	running
	ended
	closed
)

// Runner is an object with work to do. A subclass of Thread with run in Python.
type Runner interface {
	Run(ctx context.Context) error
}

var unnamed atomic.Uint64 // threads that were made without a name, so far

// New makes a thread that will run f. Nothing runs before Start. Thread(target=f)
// in Python; what f needs, and what it finds out, is in its closure.
func New(f func(ctx context.Context) error, opts ...Option) *Thread {
	t := &Thread{f: f, done: make(chan struct{})}
	var errs []error
	if f == nil {
		errs = append(errs, fmt.Errorf("%w: no function", ErrOption))
	}
	for _, o := range opts {
		errs = append(errs, o(t))
	}
	if t.name == "" {
		t.name = "Thread-" + strconv.FormatUint(unnamed.Add(1), 10)
	}
	t.optErr = errors.Join(errs...)
	t.own = owner.New(owner.Identity{Name: t.name, PID: os.Getpid()})
	return t
}

// NewRunner makes a thread that will call r.Run.
func NewRunner(r Runner, opts ...Option) *Thread {
	if r == nil {
		return New(nil, opts...)
	}
	return New(r.Run, opts...)
}

// Start starts the thread and returns. ctx is its lifetime: the context of its
// function is derived from ctx, and ends with it.
//
// Errors: ErrStarted for the second call; ErrClosed; ErrOption; that of ctx if it
// has ended. After the last two nothing was started, and Start may be called
// again. start in Python.
func (t *Thread) Start(ctx context.Context) error {
	if t.done == nil {
		return fmt.Errorf("start: %w: a Thread is made by New or NewRunner", ErrNotStarted)
	}
	if err := t.start(ctx); err != nil {
		return fmt.Errorf("start %s: %w", t.name, err)
	}
	return nil
}

func (t *Thread) start(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.state == closed:
		return ErrClosed
	case t.state != fresh:
		return ErrStarted
	case ctx.Err() != nil:
		return overError(ctx)
	case t.optErr != nil:
		return t.optErr
	}
	ctx, t.cancel = context.WithCancelCause(ctx)
	t.state = running
	enter(t)
	go t.run(&scope{ctx, t})
	return nil
}

// run is the goroutine of the thread.
func (t *Thread) run(ctx context.Context) {
	err := task.ErrGoexit // unless call returns
	defer func() { t.end(err) }()
	err = t.call(ctx)
}

// frames begins the names of the functions below that of a thread.
const frames = "github.com/feac4032/multiproc/thread.(*Thread)."

func (t *Thread) call(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = task.NewPanicError(v, frames)
		}
	}()
	return t.f(ctx)
}

// end gives back what the thread holds before anybody can see that it has ended.
func (t *Thread) end(err error) {
	t.cancel(errEnded) // nobody writes the field while the thread runs
	t.own.End(err)
	t.mu.Lock()
	t.state, t.cancel, t.f = ended, nil, nil
	if err != nil {
		t.outcome = &ExitError{Name: t.name, Code: 1, Err: err}
	}
	t.mu.Unlock()
	leave(t)
	close(t.done)
}

// Join waits until the thread has ended, and returns its outcome: nil, or an
// *ExitError. Anybody may join, as often as they like; all get the same.
//
// If ctx ends first, the error is ErrAlive and that of ctx, both by errors.Is,
// and the thread goes on. Before Start the error is ErrNotStarted, after Close
// ErrClosed. It is ErrDeadlock if the owner of ctx is the thread itself, or if the
// thread waits, through whatever others, for what that owner holds: mostly at once;
// later, if it is a wait for a condition that has to take its lock again.
// join(timeout) in Python.
func (t *Thread) Join(ctx context.Context) error {
	t.mu.Lock()
	state, outcome := t.state, t.outcome
	t.mu.Unlock()
	switch state {
	case fresh:
		return fmt.Errorf("join %s: %w", t.name, ErrNotStarted)
	case closed:
		return fmt.Errorf("join %s: %w", t.name, ErrClosed)
	case ended:
		return outcome
	}
	if err := t.await(ctx); err != nil {
		return fmt.Errorf("join %s: %w", t.name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == closed {
		return fmt.Errorf("join %s: %w", t.name, ErrClosed)
	}
	return t.outcome
}

// await waits for the end of a thread that was started.
func (t *Thread) await(ctx context.Context) error {
	err := t.waitEnd(ctx)
	select {
	case <-t.done: // in the meantime
		return nil
	default:
		return err
	}
}

func (t *Thread) waitEnd(ctx context.Context) error {
	// A join that has begun is refused, too: when somebody who cannot be has to wait
	// for what the joiner holds.
	var refused owner.Refusal
	if waiter := owner.From(ctx); waiter != nil && ctx.Err() == nil { // who does not want to wait closes no cycle
		refused = make(owner.Refusal, 1)
		end := (*ending)(t)
		if err := waiter.WaitAs(refused, end); err != nil {
			return err
		}
		defer waiter.Unwait(end)
	}
	select {
	case <-t.done:
		return nil
	case err := <-refused:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrAlive, overError(ctx))
	}
}

// ending is the end of a thread, as something to wait for. The thread holds it.
type ending Thread

func (e *ending) Resource() string     { return "the end of " + e.name }
func (e *ending) Holder() *owner.Owner { return e.own }

// Done returns a channel that is closed when the thread has ended and has
// released what it held, or when it was closed without having been started.
func (t *Thread) Done() <-chan struct{} { return t.done }

// Alive reports whether the thread was started and has not ended. is_alive in
// Python.
func (t *Thread) Alive() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state == running
}

// ExitCode returns 0 if the function returned nil, else 1, as the code of a
// process would be. ok is false as long as the thread has not ended, and after
// Close.
func (t *Thread) ExitCode() (code int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outcome != nil {
		code = 1
	}
	return code, t.state == ended
}

// Name returns the name given by WithName, or Thread-1, Thread-2, …. name in
// Python.
func (t *Thread) Name() string { return t.name }

// Daemon reports whether WithDaemon was given. daemon in Python.
func (t *Thread) Daemon() bool { return t.daemon }

// Terminate cancels the context of the thread's function, with the cause
// ErrTerminated, and returns. A function that does not look at its context goes
// on.
//
// Like Interrupt it does nothing when the thread has ended, and returns
// ErrNotStarted before Start and ErrClosed after Close.
func (t *Thread) Terminate() error { return t.stop("terminate", ErrTerminated) }

// Interrupt is Terminate with the cause ErrInterrupted.
func (t *Thread) Interrupt() error { return t.stop("interrupt", ErrInterrupted) }

func (t *Thread) stop(verb string, cause error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch t.state {
	case fresh:
		return fmt.Errorf("%s %s: %w", verb, t.name, ErrNotStarted)
	case closed:
		return fmt.Errorf("%s %s: %w", verb, t.name, ErrClosed)
	case running:
		t.cancel(cause)
	}
	return nil
}

// Kill is refused, with errors.ErrUnsupported, while the thread runs, which goes
// on as if nothing had happened: there is no way to end a goroutine. Otherwise it
// is Terminate.
func (t *Thread) Kill() error {
	if t.Alive() {
		return fmt.Errorf("kill %s: %w: a goroutine cannot be ended from outside", t.name, errors.ErrUnsupported)
	}
	return t.stop("kill", ErrTerminated)
}

// Close gives back the outcome. While the thread runs the error is ErrAlive, and
// nothing happens. After it every method that returns an error returns ErrClosed,
// but Close itself, which may be called again. A Thread need not be closed.
func (t *Thread) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch t.state {
	case running:
		return fmt.Errorf("close %s: %w", t.name, ErrAlive)
	case fresh:
		if t.done != nil {
			close(t.done)
		}
	}
	t.state, t.outcome, t.f = closed, nil, nil
	return nil
}
