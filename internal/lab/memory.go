package lab

import (
	"context"
	"sync/atomic"

	"github.com/feac4032/multiproc/task"
)

var memory = Experiment{
	Name:  "memory",
	Claim: "A global variable is one for all threads, another in each process.",
	run:   tryMemory,
}

// global is what all parties add to.
var global atomic.Int64

// addToGlobal adds one so many times, and returns what is then in the variable.
var addToGlobal = task.Define("lab/memory", func(_ context.Context, times int) (int64, error) {
	return addTo(times), nil
})

func addTo(times int) int64 {
	for range times {
		global.Add(1)
	}
	return global.Load()
}

func tryMemory(ctx context.Context, t *trial) (bool, error) {
	const times = 1000
	global.Store(0)
	inThread := make([]int64, t.workers)
	err := inThreads(ctx, t.workers, func(_ context.Context, i int) error {
		inThread[i] = addTo(times)
		return nil
	})
	threadsLeft := global.Swap(0)
	if err != nil {
		return false, err
	}
	inProcess, err := inProcesses(ctx, t.workers, addToGlobal, func(int) int { return times })
	if err != nil {
		return false, err
	}
	processesLeft := global.Load()
	most := func(seen []int64) (m int64) {
		for _, n := range seen {
			m = max(m, n)
		}
		return m
	}
	t.count("parties", t.workers, t.workers)
	t.count("each adds to the global", times, times)
	t.count("most that one of them finds in it", int(most(inThread)), int(most(inProcess)))
	t.count("the supervisor finds in it", int(threadsLeft), int(processesLeft))
	all := int64(t.workers * times)
	return most(inThread) == all && threadsLeft == all && most(inProcess) == times && processesLeft == 0, nil
}
