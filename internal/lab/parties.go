package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/thread"
)

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

// inProcesses runs a task in n processes at once, and returns their results when
// all have ended. The errors are those of all.
func inProcesses[In, Out any](ctx context.Context, n int, t task.Task[In, Out], in func(i int) In, opts ...process.Option) ([]Out, error) {
	calls := make([]*process.Call[Out], n)
	var errs []error
	for i := range calls {
		calls[i] = process.New(t, in(i), append(quietly(), opts...)...)
		errs = append(errs, calls[i].Start(ctx))
	}
	outs := make([]Out, n)
	for i, c := range calls {
		out, err := c.Result(context.WithoutCancel(ctx))
		if outs[i] = out; !errors.Is(err, process.ErrNotStarted) {
			errs = append(errs, err)
		}
	}
	return outs, errors.Join(errs...)
}

// quietly keeps what a child says from the terminal, and ends it at once with the
// experiment.
func quietly() []process.Option {
	return []process.Option{process.WithStdout(nil), process.WithStderr(nil), process.WithKillAfter(0)}
}

// sacrifice runs a task that is expected to end its process, and says how that
// ended.
func sacrifice[In, Out any](ctx context.Context, t task.Task[In, Out], in In, opts ...process.Option) (*process.ExitError, error) {
	p := process.New(t, in, append(quietly(), opts...)...)
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	err := p.Join(context.WithoutCancel(ctx))
	var exit *process.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil:
		return nil, fmt.Errorf("%s came back, and was to end its process", t.Name())
	case errors.As(err, &exit):
		return exit, nil
	}
	return nil, err
}

// medianOf times f so many times, and gives the median.
func medianOf(n int, f func() error) (time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return took[n/2], nil
}
