package process

import (
	"context"
	"fmt"
	"sync"

	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// Call is a process that runs one task and ends.
type Call[Out any] struct {
	*Process
	decode func([]byte) (Out, error)

	once sync.Once
	out  Out
	err  error
}

// New makes a process that will run t with in. Nothing is started, and in is not
// looked at, before Start. Process(target, args) in Python.
func New[In, Out any](t task.Task[In, Out], in In, opts ...Option) *Call[Out] {
	return &Call[Out]{Process: newProcess(newTaskWork(t, in), opts), decode: t.DecodeOut}
}

// Result waits until the process has ended, and returns what its task returned.
// Everybody who asks gets the same value, not a copy of it.
//
// The error is an *ExitError: the task's own, which is its Failure, or that the
// process died before it had handed the result over; what it did after that only
// Join and ExitCode tell. A result that does not decode as Out, which another
// program may send, is a *task.ValueError. ErrAlive, ErrNotStarted and ErrClosed
// are as for Join.
func (c *Call[Out]) Result(ctx context.Context) (Out, error) {
	var zero Out
	o, err := c.wait(ctx)
	if err != nil {
		return zero, err
	}
	if !o.answered {
		return zero, o.join()
	}
	c.once.Do(func() {
		if c.out, c.err = c.decode(o.value); c.err != nil {
			c.err = fmt.Errorf("result of %s: %w", c.name, c.err)
		}
		o.value = nil
	})
	return c.out, c.err
}

// taskWork is a task with its argument.
type taskWork struct {
	task    string
	encode  func() ([]byte, error)
	payload []byte
}

func newTaskWork[In, Out any](t task.Task[In, Out], in In) *taskWork {
	return &taskWork{task: t.Name(), encode: func() ([]byte, error) { return t.EncodeIn(nil, in) }}
}

func (w *taskWork) prepare(o *options) (err error) {
	if err := o.check(false); err != nil {
		return err
	}
	if w.payload, err = w.encode(); err != nil {
		return err
	}
	if n := len(w.payload); n > ipc.MaxMessage {
		return fmt.Errorf("argument of %d bytes, at most %d travel: %w", n, ipc.MaxMessage, ipc.ErrTooLarge)
	}
	return nil
}

func (w *taskWork) start(g *spawn.Guardian, r *run) error {
	c, err := child.Start(g, &child.Options{
		Name: r.name, Command: r.opts.program, Env: r.opts.env, Dir: r.opts.dir,
		Stdout: r.out.stdout.theirs, Stderr: r.out.stderr.theirs, Daemon: r.opts.daemon,
		Page: true, Confinement: r.opts.confinement,
	})
	if err != nil {
		return err
	}
	if r.opts.startTimeout == 0 {
		r.opts.startTimeout = defaultStartTimeout
	}
	r.proc, r.x = c.Proc, newExchange(c, &r.opts, w.task, w.payload)
	r.x.own = owner.New(owner.Identity{Name: r.name, PID: c.Proc.PID(), Job: r.name})
	r.x.serveCalls(r.opts.manager, c.Proc.PID())
	return nil
}
