package lab

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
)

// inProcesses runs a task in n processes at once, and returns their results when
// all have ended. The errors are those of all.
func inProcesses[In, Out any](ctx context.Context, n int, t task.Task[In, Out], in func(i int) In) ([]Out, error) {
	calls := make([]*process.Call[Out], n)
	var errs []error
	for i := range calls {
		calls[i] = process.New(t, in(i), quietly()...)
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

// openPool opens a pool of this program's tasks that prints nothing.
func openPool(ctx context.Context, workers int) (*pool.Pool, error) {
	return pool.New(ctx, pool.Config{Workers: workers, Stdout: io.Discard, Stderr: io.Discard})
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
