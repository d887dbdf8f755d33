// Command buffer is the bounded buffer of every textbook: three threads fill it,
// one empties it, and a condition lets them wait for each other. Threads share
// the slice; between processes it would be a queue, see examples/queue.
//
//	go run ./examples/buffer
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/thread"
)

const room, producers, each = 4, 3, 200

func main() {
	process.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, out io.Writer) error {
	changed, err := psync.NewCondition(nil) // with a lock of its own
	if err != nil {
		return err
	}
	var buffer []int
	fullest, sum := 0, 0
	// when waits until ready holds, does f, with the lock held, and tells the others.
	when := func(ctx context.Context, ready func() bool, f func()) error {
		return changed.Do(ctx, func() error {
			if _, err := changed.WaitFor(ctx, ready); err != nil {
				return err
			}
			f()
			return changed.NotifyAll(ctx)
		})
	}
	produce := func(ctx context.Context) (err error) {
		for n := 0; n < each && err == nil; n++ {
			err = when(ctx, func() bool { return len(buffer) < room }, func() {
				buffer = append(buffer, n)
				fullest = max(fullest, len(buffer))
			})
		}
		return err
	}
	consume := func(ctx context.Context) (err error) {
		for n := 0; n < producers*each && err == nil; n++ {
			err = when(ctx, func() bool { return len(buffer) > 0 }, func() {
				sum += buffer[0]
				buffer = buffer[1:]
			})
		}
		return err
	}
	threads := []*thread.Thread{thread.New(consume)}
	for range producers {
		threads = append(threads, thread.New(produce))
	}
	for _, t := range threads {
		if err := t.Start(ctx); err != nil {
			return err
		}
	}
	for _, t := range threads {
		if err := t.Join(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d items, sum %d, never more than %d in the buffer\n", producers*each, sum, fullest)
	return nil
}
