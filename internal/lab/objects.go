package lab

import (
	"context"
	"errors"
	"io"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

// party is what one of several does with the objects that they share. The same
// function is run by threads, with objects in memory, and by processes, with those
// of a manager.
type party[In, Out any] struct {
	task task.Task[In, Out]
	do   func(context.Context, In) (Out, error)
}

func parties[In, Out any](name string, do func(context.Context, In) (Out, error)) party[In, Out] {
	return party[In, Out]{task.Define(name, do), do}
}

// side is where parties run: in threads if it has no manager, else in processes.
type side struct{ m *manager.Manager }

func (s side) threads() bool { return s.m == nil }

// onBoth does the same on both sides.
func onBoth[T any](f func(s side) (T, error)) (threads, processes T, err error) {
	if threads, err = f(side{}); err != nil {
		return threads, processes, err
	}
	m := manager.New()
	defer m.Close()
	processes, err = f(side{m})
	return threads, processes, err
}

// run runs a party for each argument, all at once, each in a thread or a process
// of its own, and returns what they came to, in the same order. What went wrong
// with one of them is in errs; err is about all.
func (p party[In, Out]) run(ctx context.Context, s side, ins []In) (outs []Out, errs []error, err error) {
	outs, errs = make([]Out, len(ins)), make([]error, len(ins))
	if s.threads() {
		for i := range errs {
			errs[i] = errEndedEarly // unless it comes to another end
		}
		inThreads(ctx, len(ins), func(ctx context.Context, i int) error {
			outs[i], errs[i] = p.do(ctx, ins[i])
			return nil
		})
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return outs, errs, err
	}
	workers, err := pool.New(ctx, pool.Config{
		Workers: len(ins), MaxWindow: 1, Manager: s.m, Stdout: io.Discard, Stderr: io.Discard,
	})
	if err != nil {
		return nil, nil, err
	}
	defer workers.Close()
	futures := make([]*pool.Future[Out], len(ins))
	for i, in := range ins {
		if futures[i], err = pool.Submit(ctx, workers, p.task, in, pool.WithLabel(p.task.Name())); err != nil {
			return nil, nil, err
		}
	}
	for i, f := range futures {
		outs[i], errs[i] = f.Result(ctx)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return outs, errs, err
}

// errEndedEarly is of a party that did not return: it has panicked.
var errEndedEarly = errors.New("the party did not return")

// all is run for parties none of which may fail.
func (p party[In, Out]) all(ctx context.Context, s side, ins []In) ([]Out, error) {
	outs, errs, err := p.run(ctx, s, ins)
	if err != nil {
		return nil, err
	}
	return outs, errors.Join(errs...)
}

// The objects of a side.

func (s side) lock(name string) (*psync.Lock, error) {
	if s.threads() {
		return psync.NewLock(psync.Named(name)), nil
	}
	return manager.NewLock(s.m, name)
}

func (s side) number(name string) (*psync.Number[int64], error) {
	if s.threads() {
		return psync.NewNumber(int64(0), psync.Named(name))
	}
	return manager.NewNumber(s.m, name, int64(0))
}

func (s side) array(name string, n int) (*psync.Array[int64], error) {
	if s.threads() {
		return psync.NewArray(make([]int64, n), psync.Named(name))
	}
	return manager.NewArray(s.m, name, make([]int64, n))
}

func (s side) condition(name string) (*psync.Condition, error) {
	if s.threads() {
		return psync.NewCondition(nil, psync.Named(name))
	}
	return manager.NewCondition(s.m, name, nil)
}

func (s side) semaphore(name string, n int) (*psync.Semaphore, error) {
	if s.threads() {
		return psync.NewSemaphore(n, psync.Named(name))
	}
	return manager.NewSemaphore(s.m, name, n)
}

func (s side) barrier(name string, n int) (*psync.Barrier, error) {
	if s.threads() {
		return psync.NewBarrier(n, nil, psync.Named(name))
	}
	return manager.NewBarrier(s.m, name, n, nil)
}

func (s side) event(name string) (*psync.Event, error) {
	if s.threads() {
		return psync.NewEvent(psync.Named(name)), nil
	}
	return manager.NewEvent(s.m, name)
}

func (s side) queue(name string, n int) (*queue.Queue[int64], error) {
	if s.threads() {
		return queue.New[int64](n, queue.Named(name)), nil
	}
	return manager.NewQueue[int64](s.m, name, n)
}
