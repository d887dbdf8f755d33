package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/internal/stock"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

var crash = Experiment{
	Name:  "crash",
	Claim: "A segfault or fatal error ends all threads, but only one process.",
	run:   tryCrash,
}

// crashJob is one of several jobs, of which one brings its process down.
type crashJob struct {
	Fault string // "" for a job that is right
}

// The faults, none of which recover can catch.
const (
	segfault   = "segfault"
	fatalError = "fatal error"
)

// crashJobs is how many jobs there are, and crashPause how long those take that
// are right: the fault comes while they run.
const (
	crashJobs  = 8
	crashPause = 150 * time.Millisecond
)

// crashOne is such a job.
var crashOne = task.Define("lab/crash", func(ctx context.Context, j crashJob) (struct{}, error) {
	return struct{}{}, j.run(ctx)
})

// crashThreads runs all jobs as threads of one process, and reports each that
// ends.
var crashThreads = task.Define("lab/crash.threads", func(ctx context.Context, fault string) (struct{}, error) {
	var reports sync.Mutex
	return struct{}{}, inThreads(ctx, crashJobs, func(ctx context.Context, i int) error {
		j := crashJob{}
		if i == crashJobs/2 {
			j.Fault = fault
		}
		if err := j.run(ctx); err != nil {
			return err
		}
		reports.Lock()
		defer reports.Unlock()
		return worker.Progress(ctx, i)
	})
})

func (j crashJob) run(ctx context.Context) error {
	if j.Fault != "" {
		if err := noCore(); err != nil {
			return err
		}
	}
	switch j.Fault {
	case segfault:
		def, _ := task.Lookup(stock.Segfault.Name())
		_, err := def.RunInPlace(ctx, []byte{0xc0}, nil)
		return err
	case fatalError:
		defer func() { _ = recover() }() // in vain
		var mu sync.Mutex
		mu.Unlock()
		return errors.New("an unlocked mutex was unlocked")
	}
	select {
	case <-time.After(crashPause):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func tryCrash(ctx context.Context, t *trial) (bool, error) {
	t.count("jobs, one of them with the fault", crashJobs, crashJobs)
	holds := true
	for _, fault := range []string{segfault, fatalError} {
		var finished atomic.Int32
		exit, err := sacrifice(ctx, crashThreads, fault, process.WithProgress(func(int) { finished.Add(1) }))
		if err != nil {
			return false, err
		}
		ok, lost, err := crashProcesses(ctx, t.workers, fault)
		if err != nil {
			return false, err
		}
		t.count(fault+": jobs that end well", int(finished.Load()), ok)
		t.words(fault+": end of the process", howItEnded(exit.Signal != 0, int(exit.Signal), exit.Code, exit.Stderr),
			howItEnded(lost.Signal != 0, lost.Signal, lost.ExitCode, lost.StderrTail))
		holds = holds && finished.Load() == 0 && ok == crashJobs-1
	}
	return holds, nil
}

// crashProcesses runs the jobs in the workers of a pool.
func crashProcesses(ctx context.Context, workers int, fault string) (ok int, lost *pool.WorkerLostError, err error) {
	p, err := openPool(ctx, workers)
	if err != nil {
		return 0, nil, err
	}
	defer p.Close()
	futures := make([]*pool.Future[struct{}], crashJobs)
	for i := range futures {
		j := crashJob{}
		if i == crashJobs/2 {
			j.Fault = fault
		}
		if futures[i], err = pool.Submit(ctx, p, crashOne, j); err != nil {
			return 0, nil, err
		}
	}
	for i, f := range futures {
		_, err := f.Result(ctx)
		switch {
		case err == nil:
			ok++
		case i != crashJobs/2 || !errors.As(err, &lost):
			return 0, nil, err
		}
	}
	if lost == nil {
		return 0, nil, fmt.Errorf("the %s came back", fault)
	}
	return ok, lost, nil
}

// howItEnded says in a few words how a process did.
func howItEnded(signalled bool, signal, code int, stderr string) string {
	if signalled {
		return fmt.Sprintf("signal %d", signal)
	}
	_, cause, _ := strings.Cut(stderr, "fatal error: ")
	cause, _, _ = strings.Cut(cause, "\n")
	return strings.TrimSuffix(fmt.Sprintf("exit code %d, %s", code, cause), ", ")
}
