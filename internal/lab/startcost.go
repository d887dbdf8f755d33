package lab

import (
	"context"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/thread"
)

var startCost = Experiment{
	Name:  "start-cost",
	Claim: "A process is dear to start; a worker that stays makes up for it.",
	run:   tryStartCost,
}

// nothing is a task that does not do anything.
var nothing = task.Define("lab/nothing", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })

func tryStartCost(ctx context.Context, t *trial) (bool, error) {
	startThread, err := medianOf(201, func() error {
		th := thread.New(func(context.Context) error { return nil })
		if err := th.Start(ctx); err != nil {
			return err
		}
		return th.Join(ctx)
	})
	if err != nil {
		return false, err
	}
	startProcess, err := medianOf(21, func() error {
		p := process.New(nothing, struct{}{}, quietly()...)
		if err := p.Start(ctx); err != nil {
			return err
		}
		return p.Join(ctx)
	})
	if err != nil {
		return false, err
	}
	p, err := openPool(ctx, 1)
	if err != nil {
		return false, err
	}
	defer p.Close()
	call := func() error {
		_, err := pool.Call(ctx, p, nothing, struct{}{})
		return err
	}
	if err := call(); err != nil { // the worker is started
		return false, err
	}
	warm, err := medianOf(201, call)
	if err != nil {
		return false, err
	}
	t.note("start, do nothing, join (median)", "µs", micro(startThread), micro(startProcess))
	t.note("the same job in a worker that stays", "µs", none, micro(warm))
	return startProcess > 10*startThread && startProcess > 2*warm, nil
}
