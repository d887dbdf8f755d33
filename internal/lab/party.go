package lab

import (
	"context"
	"errors"
	"io"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/thread"
)

// party is what one of several does with the objects that they share. The same
// function is run by threads, with objects in memory, and by processes, with those
// of a manager.
type party[In, Out any] struct {
	task task.Task[In, Out]
	do   func(context.Context, In) (Out, error)
}

// parties defines the function of parties as a task of this name.
func parties[In, Out any](name string, do func(context.Context, In) (Out, error)) party[In, Out] {
	return party[In, Out]{task.Define(name, do), do}
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

// inThreads runs f in n threads at once, and returns when all have ended. The
// errors are those of all.
func inThreads(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	ts := make([]*thread.Thread, n)
	var errs []error
	for i := range ts {
		ts[i] = thread.New(func(ctx context.Context) error { return f(ctx, i) })
		errs = append(errs, ts[i].Start(ctx))
	}
	for _, t := range ts {
		if err := t.Join(context.WithoutCancel(ctx)); !errors.Is(err, thread.ErrNotStarted) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
