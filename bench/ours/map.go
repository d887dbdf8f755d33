package main

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/feac4032/multiproc/bench/figure"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

var same = task.Define("same", func(_ context.Context, n int) (int, error) { return n, nil })

// upTo yields 0 to n-1.
func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// mapped is ints through a function that does nothing, results in order.
func mapped(ctx context.Context, n int) (figure.Set, error) {
	p, err := warm(ctx, pool.Config{Workers: workers})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	start, next := time.Now(), 0
	for out, err := range pool.Map(ctx, p, same, upTo(n)) {
		if err != nil || out != next {
			return nil, fmt.Errorf("item %d: %d, %v", next, out, err)
		}
		next++
	}
	took := time.Since(start)
	if next != n {
		return nil, fmt.Errorf("%d results of %d", next, n)
	}
	return figure.PerSecond(n, took), nil
}

// unordered is the same, results as they come.
func unordered(ctx context.Context, n int) (figure.Set, error) {
	p, err := warm(ctx, pool.Config{Workers: workers})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	start, count := time.Now(), 0
	for item := range pool.Unordered(ctx, p, same, upTo(n)) {
		if item.Err != nil || item.Out != item.In {
			return nil, fmt.Errorf("item %d: %d, %v", item.Index, item.Out, item.Err)
		}
		count++
	}
	took := time.Since(start)
	if count != n {
		return nil, fmt.Errorf("%d results of %d", count, n)
	}
	return figure.PerSecond(n, took), nil
}
