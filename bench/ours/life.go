package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/bench/figure"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// die is a job that is killed.
var die = task.Define("die", func(context.Context, struct{}) (struct{}, error) {
	err := syscall.Kill(os.Getpid(), syscall.SIGKILL)
	return struct{}{}, fmt.Errorf("still alive: %w", err)
})

// stock is the program worker of this project, which lies beside this one.
func stock() (pool.Program, error) {
	self, err := os.Executable()
	return pool.Program{Command: []string{filepath.Join(filepath.Dir(self), "worker")}}, err
}

// start is workers from the request to the moment in which they are ready. One
// that stays keeps the pool as it is in use.
func start(ctx context.Context, n int) (figure.Set, error) {
	prog, err := stock()
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{}, n)
	p, err := warm(ctx, pool.Config{Workers: 1, Program: prog, OnWorker: func(e pool.WorkerEvent) {
		if e.Kind == pool.WorkerExited {
			ended <- struct{}{}
		}
	}})
	if err != nil {
		return nil, err
	}
	var laps figure.Laps
	for range n {
		begin := time.Now()
		if err := p.Resize(2); err != nil {
			return nil, err
		}
		if err := p.Warm(ctx); err != nil {
			return nil, err
		}
		laps.Add(begin)
		if err := p.Resize(1); err != nil {
			return nil, err
		}
		<-ended
	}
	return laps.Set(), p.Close()
}

// crash is a job that is killed with its worker, the only one, and one after it:
// from the one's submission to the other's result.
func crash(ctx context.Context, n, spares int) (figure.Set, error) {
	p, err := warm(ctx, pool.Config{Workers: 1, Program: pool.Program{Spares: spares}})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	in := make([]byte, 64)
	var laps figure.Laps
	for range n {
		begin := time.Now()
		_, err := pool.Call(ctx, p, die, struct{}{})
		var lost *pool.WorkerLostError
		if !errors.As(err, &lost) || lost.Signal != int(syscall.SIGKILL) {
			return nil, fmt.Errorf("a job that was killed has ended with %w", err)
		}
		if _, err := pool.Call(ctx, p, echo, in); err != nil {
			return nil, err
		}
		laps.Add(begin)
		if err := p.Warm(ctx); err != nil { // the spare, too
			return nil, err
		}
	}
	return laps.Set(), nil
}

// idle is n workers that wait for jobs.
func idle(ctx context.Context, n int) (figure.Set, error) {
	prog, err := stock()
	if err != nil {
		return nil, err
	}
	p, err := warm(ctx, pool.Config{Workers: n, Program: prog})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var pids []int
	for _, w := range p.Stats().Workers {
		pids = append(pids, w.PID)
	}
	if len(pids) != n {
		return nil, fmt.Errorf("%d workers, not %d", len(pids), n)
	}
	return figure.MeanPSS(pids)
}
