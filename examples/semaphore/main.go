// Command semaphore lets at most two of six processes work at a time. One of them
// dies with its permit in its hands, which costs nobody else anything.
//
//	go run ./examples/semaphore
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
)

const jobs, permits = 6, 2

// work uses objects by their names: a job sees those of its pool's manager.
var work = task.Define("work", func(ctx context.Context, job int) (inside int, err error) {
	gpus, err := manager.Semaphore(ctx, "gpus")
	if err != nil {
		return 0, err
	}
	busy, err := manager.Number[int](ctx, "busy")
	if err != nil {
		return 0, err
	}
	err = gpus.Do(ctx, func() error {
		if job == 0 {
			os.Exit(9)
		}
		if inside, err = busy.Add(ctx, 1); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond) // the work itself
		_, err = busy.Add(ctx, -1)
		return err
	})
	return inside, err
})

func main() {
	process.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, out io.Writer) error {
	m := manager.New()
	defer m.Close()
	gpus, err := manager.NewSemaphore(m, "gpus", permits)
	if err != nil {
		return err
	}
	if _, err := manager.NewNumber(m, "busy", 0); err != nil {
		return err
	}
	p, err := pool.New(ctx, pool.Config{Workers: jobs, Manager: m})
	if err != nil {
		return err
	}
	defer p.Close()
	var all [jobs]*pool.Future[int]
	for i := range all {
		if all[i], err = pool.Submit(ctx, p, work, i); err != nil {
			return err
		}
	}
	most, done := 0, 0
	for i, f := range all {
		inside, err := f.Result(ctx)
		var lost *pool.WorkerLostError
		switch {
		case errors.As(err, &lost):
			fmt.Fprintf(out, "job %d: its worker exited with code %d\n", i, lost.ExitCode)
		case err != nil:
			return err
		default:
			done++
			most = max(most, inside)
		}
	}
	free, err := gpus.Value(ctx)
	fmt.Fprintf(out, "%d jobs done, at most %d at a time, %d permits free\n", done, most, free)
	return err
}
