package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/feac4032/multiproc/internal/stock"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

var speedup = Experiment{
	Name:  "speedup",
	Claim: "Processes spread work over the CPUs as well as threads do.",
	run:   trySpeedup,
}

const (
	speedupJobs = 16
	// speedupRuns is how often each side runs, in turn; the best run is the one
	// that the rest of the machine has disturbed least.
	speedupRuns = 3
	// speedupSlack is by how much more time processes may take than threads before
	// it is no noise: a job is long against its way to a worker and back.
	speedupSlack = 3
)

// speedupLimit makes a job of some milliseconds: the primes up to it. The race
// detector makes it a second, so that tests with that lower it.
var speedupLimit uint64 = 4_000_000

func trySpeedup(ctx context.Context, t *trial) (bool, error) {
	t.note(fmt.Sprintf("jobs, each the primes up to %d", speedupLimit), "", int64(speedupJobs), int64(speedupJobs))
	holds := true
	var firstThreads, firstProcesses time.Duration
	for _, n := range steps(t.workers) {
		threads, processes, err := speedupOn(ctx, n)
		if err != nil {
			return false, err
		}
		if n == 1 {
			firstThreads, firstProcesses = threads, processes
		}
		t.spans(fmt.Sprintf("time on %d (best of %d)", n, speedupRuns), threads, processes)
		if n > 1 {
			t.note(fmt.Sprintf("speedup on %d", n), "x", float64(firstThreads)/float64(threads), float64(firstProcesses)/float64(processes))
		}
		holds = holds && processes < speedupSlack*threads
	}
	return holds, nil
}

// steps are the numbers of parties that are tried: 1, 2, 4 and so on, and n.
func steps(n int) (list []int) {
	for k := 1; k < n; k *= 2 {
		list = append(list, k)
	}
	return append(list, n)
}

// speedupOn times the jobs on n threads and on n processes, which are there
// already.
func speedupOn(ctx context.Context, n int) (threads, processes time.Duration, err error) {
	p, err := openPool(ctx, n)
	if err != nil {
		return 0, 0, err
	}
	defer p.Close()
	if err := primesInProcesses(ctx, p, speedupLimit/4, 2*n); err != nil {
		return 0, 0, err
	}
	for range speedupRuns {
		begin := time.Now()
		if err := primesInThreads(ctx, n); err != nil {
			return 0, 0, err
		}
		between := time.Now()
		if err := primesInProcesses(ctx, p, speedupLimit, speedupJobs); err != nil {
			return 0, 0, err
		}
		if took := between.Sub(begin); threads == 0 || took < threads {
			threads = took
		}
		if took := time.Since(between); processes == 0 || took < processes {
			processes = took
		}
	}
	return threads, processes, nil
}

func primesInThreads(ctx context.Context, n int) error {
	jobs := make(chan struct{}, speedupJobs)
	for range speedupJobs {
		jobs <- struct{}{}
	}
	close(jobs)
	def, _ := task.Lookup(stock.Primes.Name())
	payload, err := task.Encode(nil, speedupLimit)
	if err != nil {
		return err
	}
	return inThreads(ctx, n, func(ctx context.Context, _ int) error {
		for range jobs {
			if _, err := def.RunInPlace(ctx, payload, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func primesInProcesses(ctx context.Context, p *pool.Pool, limit uint64, jobs int) error {
	futures := make([]*pool.Future[uint64], jobs)
	for i := range futures {
		var err error
		if futures[i], err = pool.Submit(ctx, p, stock.Primes, limit); err != nil {
			return err
		}
	}
	for _, f := range futures {
		if _, err := f.Result(ctx); err != nil {
			return err
		}
	}
	return nil
}
