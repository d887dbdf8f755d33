package main

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/feac4032/multiproc/bench/figure"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// pairs takes a lock that nobody else wants and releases it, n times.
var pairs = task.Define("pairs", func(ctx context.Context, n int) (map[string]float64, error) {
	lock, err := manager.Lock(ctx, "lock")
	if err != nil {
		return nil, err
	}
	var laps figure.Laps
	for range n {
		start := time.Now()
		if _, err := lock.Acquire(ctx); err != nil {
			return nil, err
		}
		if err := lock.Release(ctx); err != nil {
			return nil, err
		}
		laps.Add(start)
	}
	figures := map[string]float64{}
	for kind, v := range laps.Set() {
		figures[string(kind)] = v
	}
	return figures, nil
})

// put puts n items of 64 bytes.
var put = task.Define("put", func(ctx context.Context, n int) (int, error) {
	q, err := manager.Queue[[]byte](ctx, "queue")
	if err != nil {
		return 0, err
	}
	item := bytes.Repeat([]byte{'x'}, 64)
	for range n {
		if err := q.Put(ctx, item); err != nil {
			return 0, err
		}
	}
	return n, nil
})

// lock is a lock of the supervisor's, taken and released in a worker.
func lock(ctx context.Context, n int) (figure.Set, error) {
	m := manager.New()
	defer m.Close()
	if _, err := manager.NewLock(m, "lock"); err != nil {
		return nil, err
	}
	p, err := warm(ctx, pool.Config{Workers: workers, Manager: m})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	times, err := pool.Call(ctx, p, pairs, n)
	figures := figure.Set{}
	for kind, v := range times {
		figures[figure.Kind(kind)] = v
	}
	return figures, err
}

// throughQueue is items from a worker to the supervisor, through a queue without
// a bound but memory.
func throughQueue(ctx context.Context, n int) (figure.Set, error) {
	m := manager.New()
	defer m.Close()
	q, err := manager.NewQueue[[]byte](m, "queue", 0)
	if err != nil {
		return nil, err
	}
	p, err := warm(ctx, pool.Config{Workers: workers, Manager: m})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	start := time.Now()
	f, err := pool.Submit(ctx, p, put, n)
	if err != nil {
		return nil, err
	}
	for range n {
		item, err := q.Get(ctx)
		if err != nil {
			return nil, err
		}
		if len(item) != 64 {
			return nil, errors.New("an item has another length")
		}
	}
	took := time.Since(start)
	if _, err := f.Result(ctx); err != nil {
		return nil, err
	}
	return figure.PerSecond(n, took), nil
}
