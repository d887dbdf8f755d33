package spawn

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/internal/awake"
)

// scope is whom a signal is for.
type scope uint8

const (
	onlyProcess scope = iota // the process itself
	wholeTree                // the process and all its descendants
)

// handle delivers signals to a process that has not ended.
type handle interface {
	signal(sig syscall.Signal, to scope) error
	// ask asks for what is measured, to be answered on Process.answer, after it was set
	// to zero or before.
	ask(mark bool) error
}

// Process is a started process and its descendants. All methods may be called
// by many goroutines at once, and none but Stop outlives its call.
type Process struct {
	pid    int
	exited chan struct{}
	done   chan struct{}
	status Status

	asking sync.Mutex // one question at a time
	answer chan *ending

	mu     sync.Mutex
	handle handle       // nil once the process has ended
	ladder *awake.Timer // of Stop; nil before
	killAt time.Time    // when ladder fires
}

func newProcess(pid int, h handle) *Process {
	return &Process{pid: pid, handle: h, exited: make(chan struct{}), done: make(chan struct{}), answer: make(chan *ending, 1)}
}

// PID is the process id. It may belong to another process once Exited is
// closed; signal through the methods.
func (p *Process) PID() int { return p.pid }

// Exited is closed when the process itself has ended, before its leftovers are
// dealt with.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Done is closed when the process has ended and been reaped, and its tree was
// emptied: what it left in the background is killed at once.
func (p *Process) Done() <-chan struct{} { return p.done }

// Status says how the process ended. It is the zero Status before Done is
// closed.
func (p *Process) Status() Status {
	select {
	case <-p.done:
		return p.status
	default:
		return Status{}
	}
}

// Signal sends sig to the process itself, not to its descendants. Like all
// methods below it is a no-op when the process has ended, and never reaches
// another process that was given the same id. An error says that the signal
// could not be handed to the guardian.
func (p *Process) Signal(sig syscall.Signal) error { return p.deliver(sig, onlyProcess) }

// Terminate sends SIGTERM and then SIGCONT, so that stopped processes see it
// too, to the process and all its descendants. Off Unix it is Kill.
func (p *Process) Terminate() error { return p.deliver(syscall.SIGTERM, wholeTree) }

// Interrupt sends SIGINT to the process and all its descendants, as a terminal
// does to a job in its foreground.
func (p *Process) Interrupt() error { return p.deliver(syscall.SIGINT, wholeTree) }

// Kill sends SIGKILL to the process and all its descendants, also those that
// have left its session and group.
func (p *Process) Kill() error { return p.deliver(syscall.SIGKILL, wholeTree) }

// Stop is Terminate, followed by Kill if the process has not ended within
// grace. It returns after the first step; wait for Done. A later call can
// shorten the time left, and not lengthen it.
func (p *Process) Stop(grace time.Duration) error {
	if grace <= 0 {
		return p.Kill()
	}
	p.mu.Lock()
	if at := time.Now().Add(grace); p.handle != nil && (p.ladder == nil || at.Before(p.killAt)) {
		if p.ladder != nil {
			p.ladder.Stop()
		}
		p.killAt = at
		p.ladder = awake.AfterFunc(grace, func() { _ = p.Kill() })
	}
	p.mu.Unlock()
	return p.Terminate()
}

// Mark says that a new attempt begins in the same process: CPU time counts from now,
// for its limit too, and so does the peak of memory. It blocks for as long as the
// guardian takes to answer, which is less than a millisecond. The error is ErrEnded
// once the process has ended, and ErrBreached when its tree is being killed for a
// limit: what it has not begun by then is not to blame. For a plain process it does
// nothing.
func (p *Process) Mark() error {
	e, err := p.ask(true)
	if err == nil && e != nil && e.Breach != nil {
		return ErrBreached
	}
	return err
}

// Measure tells what the tree has used since its start, or since Mark; the zero Usage
// for a plain process. It blocks as Mark does. The error is ErrEnded once the process
// has ended: then Status tells.
func (p *Process) Measure() (Usage, error) {
	e, err := p.ask(false)
	if err != nil || e == nil {
		return Usage{}, err
	}
	return e.Usage, nil
}

// errUnmeasured is what a handle returns that measures nothing.
var errUnmeasured = errors.New("nothing is measured")

func (p *Process) ask(mark bool) (*ending, error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	p.mu.Lock()
	err := ErrEnded
	if p.handle != nil {
		err = p.handle.ask(mark)
	}
	p.mu.Unlock()
	if err == errUnmeasured {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	select {
	case e := <-p.answer:
		return e, nil
	case <-p.done:
		return nil, ErrEnded
	}
}

func (p *Process) deliver(sig syscall.Signal, to scope) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return nil
	}
	return p.handle.signal(sig, to)
}

func (p *Process) markExited() {
	select {
	case <-p.exited:
	default:
		close(p.exited)
	}
}

// detach makes all methods no-ops. It is called before what the handle stands
// for can be used for another process.
func (p *Process) detach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handle = nil
	if p.ladder != nil {
		p.ladder.Stop()
	}
}

// end publishes the status. Only the goroutine that follows the process calls
// it, after detach.
func (p *Process) end(s Status) {
	p.status = s
	p.markExited()
	close(p.done)
}
