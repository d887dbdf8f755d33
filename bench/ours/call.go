package main

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/feac4032/multiproc/bench/figure"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// workers is how many every pool of the benchmark has, and every peer.
const workers = 2

// deep is how many jobs are under way where many are.
const deep = 4096

var echo = task.Define("echo", func(_ context.Context, in []byte) ([]byte, error) { return in, nil })

// warm makes a pool whose workers are ready.
func warm(ctx context.Context, cfg pool.Config) (*pool.Pool, error) {
	p, err := pool.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := p.Warm(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// call is one job of 64 bytes in flight.
func call(ctx context.Context, n int) (figure.Set, error) { return roundTrips(ctx, n, 64) }

// echoMiB is one job of 1 MiB in flight, there and back.
func echoMiB(ctx context.Context, n int) (figure.Set, error) { return roundTrips(ctx, n, 1<<20) }

func roundTrips(ctx context.Context, n, size int) (figure.Set, error) {
	p, err := warm(ctx, pool.Config{Workers: workers})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	in := bytes.Repeat([]byte{'x'}, size)
	var laps figure.Laps
	for range n {
		start := time.Now()
		out, err := pool.Call(ctx, p, echo, in)
		if err != nil {
			return nil, err
		}
		laps.Add(start)
		if len(out) != size {
			return nil, errors.New("the echo has another length")
		}
	}
	return laps.Set(), nil
}

// submit is jobs of 64 bytes by Submit, and their futures.
func submit(ctx context.Context, n int) (figure.Set, error) {
	p, err := warm(ctx, pool.Config{Workers: workers})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	in := bytes.Repeat([]byte{'x'}, 64)
	open := make([]*pool.Future[[]byte], deep)
	start := time.Now()
	for i := range n + deep { // the last ones submit nothing
		slot := &open[i%deep]
		if *slot != nil {
			if _, err := (*slot).Result(ctx); err != nil {
				return nil, err
			}
			*slot = nil
		}
		if i < n {
			if *slot, err = pool.Submit(ctx, p, echo, in); err != nil {
				return nil, err
			}
		}
	}
	return figure.PerSecond(n, time.Since(start)), nil
}

// submitGo is the same by Pool.Go: no futures, and no decoding of results.
func submitGo(ctx context.Context, n int) (figure.Set, error) {
	p, err := warm(ctx, pool.Config{Workers: workers})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	payload, err := echo.EncodeIn(nil, bytes.Repeat([]byte{'x'}, 64))
	if err != nil {
		return nil, err
	}
	var (
		open   sync.WaitGroup
		failed sync.Once
		why    error
		room   = make(chan *pool.Job, deep)
	)
	for range deep {
		room <- &pool.Job{Task: echo.Name(), Payload: payload, Done: func(j *pool.Job, r *pool.Result) {
			if err := r.Err(j); err != nil {
				failed.Do(func() { why = err })
			}
			open.Done()
			room <- j
		}}
	}
	start := time.Now()
	for range n {
		open.Add(1)
		if err := p.Go(<-room); err != nil {
			return nil, err
		}
	}
	open.Wait()
	took := time.Since(start)
	return figure.PerSecond(n, took), why
}

// halves is 100 MiB there and back, in two jobs: one message has 64 MiB at most.
// n is how many MiB these are.
func halves(ctx context.Context, n int) (figure.Set, error) {
	p, err := warm(ctx, pool.Config{Workers: workers})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	in := bytes.Repeat([]byte{'x'}, n<<20)
	start := time.Now()
	var halves [2]*pool.Future[[]byte]
	for i := range halves {
		half := in[i*len(in)/2 : (i+1)*len(in)/2]
		if halves[i], err = pool.Submit(ctx, p, echo, half); err != nil {
			return nil, err
		}
	}
	back := 0
	for _, f := range halves {
		out, err := f.Result(ctx)
		if err != nil {
			return nil, err
		}
		back += len(out)
	}
	took := time.Since(start)
	if back != len(in) {
		return nil, errors.New("the echo has another length")
	}
	return figure.Set{figure.Wall: took.Seconds()}, nil
}
