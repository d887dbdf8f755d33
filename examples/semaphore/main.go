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
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
)

const processes, permits = 6, 2

// work finds what is shared by its name, and returns how many were at it.
var work = task.Define("work", func(ctx context.Context, n int) (atIt int, err error) {
	gpus, err := manager.Semaphore(ctx, "gpus")
	if err != nil {
		return 0, err
	}
	busy, err := manager.Number[int](ctx, "busy")
	if err != nil {
		return 0, err
	}
	err = gpus.Do(ctx, func() error {
		if n == 0 {
			os.Exit(9)
		}
		if atIt, err = busy.Add(ctx, 1); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond) // the work itself
		_, err = busy.Add(ctx, -1)
		return err
	})
	return atIt, err
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
	var all [processes]*process.Call[int]
	for i := range all {
		all[i] = process.New(work, i, process.WithManager(m))
		if err := all[i].Start(ctx); err != nil {
			return err
		}
	}
	most := 0
	for i, p := range all {
		atIt, err := p.Result(ctx)
		if exit := new(process.ExitError); errors.As(err, &exit) {
			fmt.Fprintln(out, "process", i, "exited with code", exit.Code)
		} else if err != nil {
			return err
		}
		most = max(most, atIt)
	}
	free, err := gpus.Value(ctx)
	fmt.Fprintf(out, "at most %d at a time, %d permits free at the end\n", most, free)
	return err
}
