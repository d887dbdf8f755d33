// Command queue has two producers and three consumers, each a process of its
// own, and one bounded queue between them.
//
//	go run ./examples/queue
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

// Range is a producer's argument. The queue in it is the same queue there.
type Range struct {
	From, To int
	Into     *queue.Queue[int]
}

var produce = task.Define("produce", func(ctx context.Context, r Range) (n int, err error) {
	for n = r.From; n < r.To && err == nil; n++ {
		err = r.Into.Put(ctx, n) // waits while ten are queued
	}
	return n, err
})

var consume = task.Define("consume", func(ctx context.Context, q *queue.Queue[int]) (sum int, err error) {
	for n, err := range q.All(ctx) { // until it is closed and empty
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
})

func main() {
	process.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, out io.Writer) error {
	m := manager.New()
	defer m.Close()
	q, err := manager.NewQueue[int](m, "numbers", 10)
	if err != nil {
		return err
	}
	sharing := process.WithManager(m)
	producers := []*process.Call[int]{
		process.New(produce, Range{0, 500, q}, sharing),
		process.New(produce, Range{500, 1000, q}, sharing),
	}
	consumers := []*process.Call[int]{
		process.New(consume, q, sharing),
		process.New(consume, q, sharing),
		process.New(consume, q, sharing),
	}
	for _, p := range slices.Concat(producers, consumers) {
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	for _, p := range producers {
		if err := p.Join(ctx); err != nil {
			return err
		}
	}
	q.Close() // what is queued can still be got
	total := 0
	for _, c := range consumers {
		sum, err := c.Result(ctx)
		if err != nil {
			return err
		}
		total += sum
	}
	fmt.Fprintln(out, len(producers), "producers,", len(consumers), "consumers, sum", total)
	return nil
}
