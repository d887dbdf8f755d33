package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

var drillNumbers = []int{1, 2}

// drills are what the tests of threads have their tasks do, by the name that a
// task is given.
var drills sync.Map

func drill(t *testing.T, f func(ctx context.Context) (any, error)) string {
	name := t.Name()
	drills.Store(name, f)
	t.Cleanup(func() { drills.Delete(name) })
	return name
}

var _ = task.Define("drill", func(ctx context.Context, name string) (any, error) {
	f, ok := drills.Load(name)
	if !ok {
		return nil, fmt.Errorf("there is no drill %q", name)
	}
	return f.(func(context.Context) (any, error))(ctx)
})

// stage is what a test does around a run, in the bubble of its time.
type stage struct {
	before, after func()
	during        func(tr *trial)
}

// threaded is a run on threads, in a bubble of time.
func threaded(t *testing.T, file string, st stage) (*trial, *Report) {
	t.Helper()
	tr := setup(t, file)
	tr.cfg.Deadline = tr.cfg.File.Deadline
	var rep *Report
	synctest.Test(t, func(t *testing.T) {
		ex, err := OpenThreads(pool.Config{Workers: tr.cfg.Workers}, tr.cfg.File, tr.cfg.Settings)
		if err != nil {
			t.Fatal(err)
		}
		tr.cfg.Executor = ex
		tr.signals = make(chan os.Signal, 4)
		tr.cfg.Signals = tr.signals
		if st.before != nil {
			st.before()
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			rep = Run(context.Background(), tr.cfg)
		}()
		if st.during != nil {
			st.during(tr)
		}
		<-ended
		if st.after != nil {
			st.after()
		}
	})
	return tr, rep
}

// last gives the job.end event of the one instance.
func last(t *testing.T, tr *trial) map[string]any {
	t.Helper()
	for _, e := range tr.eventList() {
		if e["event"] == "job.end" {
			return e
		}
	}
	t.Fatal("there is no job.end")
	return nil
}

func TestThreads_OutcomesAreThoseOfProcesses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		file     string // what stands behind the task
		do       func(ctx context.Context) (any, error)
		outcome  string
		which    any
		evidence string
	}{
		{"value", "", func(context.Context) (any, error) { return "done", nil }, "ok", nil, ""},
		{"error", "", func(context.Context) (any, error) { return nil, errors.New("no luck") }, "failed", nil, "no luck"},
		{"panic", "", func(context.Context) (any, error) { panic("no way") }, "failed", "panic", "no way"},
		{"index out of range", "", func(context.Context) (any, error) { return drillNumbers[len(drillNumbers)], nil }, "failed", "panic", "index out of range"},
		{"timeout", ", timeout: 1s", func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, context.Cause(ctx) },
			"timeout", nil, "did not end within its timeout of 1s"},
		{"value after the timeout", ", timeout: 1s", func(ctx context.Context) (any, error) { <-ctx.Done(); return 1, nil },
			"timeout", nil, "did not end within its timeout of 1s"},
		{"a result that cannot travel", "", func(context.Context) (any, error) { return make(chan int), nil }, "failed", nil, "result"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := drill(t, c.do)
			tr, rep := threaded(t, fmt.Sprintf("jobs: [{id: a, task: drill, args: %q%s}]\n", name, c.file), stage{})
			e := last(t, tr)
			evidence, _ := e["evidence"].(string)
			if e["outcome"] != c.outcome || e["which"] != c.which || !strings.Contains(evidence, c.evidence) {
				t.Errorf("got %v, want %s %v %q", e, c.outcome, c.which, c.evidence)
			}
			if want := []string{"thread"}; fmt.Sprint(rep.Isolation) != fmt.Sprint(want) {
				t.Errorf("isolation is %v", rep.Isolation)
			}
			if pid, _ := e["pid"].(float64); int(pid) != os.Getpid() {
				t.Errorf("pid is %v, want this process's", e["pid"])
			}
		})
	}
}

func TestThreads_CauseOfTheContextIsThatOfAWorker(t *testing.T) {
	t.Parallel()
	causes := make(chan error, 2)
	name := drill(t, func(ctx context.Context) (any, error) {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	})
	threaded(t, fmt.Sprintf("jobs: [{id: a, task: drill, args: %q, timeout: 1s}]\n", name), stage{})
	if err := <-causes; !errors.Is(err, worker.ErrTimeout) {
		t.Errorf("after a timeout the cause is %v", err)
	}
	threaded(t, fmt.Sprintf("deadline: 1s\njobs: [{id: a, task: drill, args: %q}]\n", name), stage{})
	if err := <-causes; !errors.Is(err, worker.ErrCancelled) {
		t.Errorf("after a cancel the cause is %v", err)
	}
}

func TestThreads_TaskThatDoesNotEndIsGivenUp(t *testing.T) {
	t.Parallel()
	var stop chan struct{}
	name := drill(t, func(context.Context) (any, error) { <-stop; return "too late", nil })
	tr, _ := threaded(t, fmt.Sprintf("jobs: [{id: a, task: drill, args: %q, timeout: 1s, kill_after: 2s}]\n", name), stage{
		before: func() { stop = make(chan struct{}) },
		after:  func() { close(stop) },
	})
	e := last(t, tr)
	if wall := e["wall_s"].(float64); e["outcome"] != "timeout" || wall != 3 || !strings.Contains(e["evidence"].(string), "cannot be killed") {
		t.Errorf("got %v, want a timeout after 3 s that says that it may go on", e)
	}
}

func TestThreads_SlotOutlivesWhatEndsInIt(t *testing.T) {
	t.Parallel()
	var stop chan struct{}
	for name, do := range map[string]func(context.Context) (any, error){
		"Goexit":   func(context.Context) (any, error) { runtime.Goexit(); return nil, nil },
		"given up": func(context.Context) (any, error) { <-stop; runtime.Goexit(); return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			drilled := drill(t, do)
			_, rep := threaded(t, fmt.Sprintf("jobs: [{id: a, task: drill, args: %q, foreach: {range: 1..5}, timeout: 1s, kill_after: 1s}]\n", drilled), stage{
				before: func() { stop = make(chan struct{}) },
				after:  func() { close(stop) },
			})
			if rep.Totals.Jobs != 5 || rep.Totals.OK != 0 {
				t.Errorf("totals %+v, want 5 that are not ok", rep.Totals)
			}
		})
	}
}

func TestThreads_SlotsHold(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	name := drill(t, func(context.Context) (any, error) {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(time.Second)
		now.Add(-1)
		return nil, nil
	})
	_, rep := threaded(t, fmt.Sprintf("jobs: [{id: a, task: drill, args: %q, foreach: {range: 1..10}}]\n", name), stage{})
	if rep.Totals.OK != 10 || most.Load() != 2 || rep.Wall != 5 {
		t.Errorf("%d ok, %d at a time, %v s, want 10, 2, 5", rep.Totals.OK, most.Load(), rep.Wall)
	}
}

func TestThreads_RetriesHoldNoSlot(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	name := drill(t, func(context.Context) (any, error) {
		if calls.Add(1) <= 2 {
			return nil, errors.New("not yet")
		}
		return "at last", nil
	})
	tr, rep := threaded(t, fmt.Sprintf(`
workers: 1
jobs:
  - {id: a, task: drill, args: %q, retry: {max: 2, backoff: 5m, factor: 1, jitter: 0}}
  - {id: b, task: drill, args: none}
`, name), stage{})
	if rep.Totals.OK != 1 || rep.Totals.Failed != 1 || rep.Totals.Retried != 2 || rep.Wall != 600 {
		t.Errorf("totals %+v after %v s", rep.Totals, rep.Wall)
	}
	if !strings.Contains(tr.stdout.String(), "at last\n") {
		t.Errorf("printed %q", tr.stdout.String())
	}
}

func TestThreads_InterruptDropsWhatWaits(t *testing.T) {
	t.Parallel()
	name := drill(t, func(context.Context) (any, error) { time.Sleep(time.Second); return nil, nil })
	_, rep := threaded(t, fmt.Sprintf("jobs: [{id: a, task: drill, args: %q, foreach: {range: 1..100}}]\n", name), stage{during: func(tr *trial) {
		synctest.Wait()
		tr.signals <- os.Interrupt
	}})
	if rep.Totals.OK != 2 || rep.Totals.NotStarted != 98 || rep.Exit != ExitSignal+2 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}

func TestThreads_SecondSignalWaitsForNobody(t *testing.T) {
	t.Parallel()
	var stop chan struct{}
	name := drill(t, func(context.Context) (any, error) { <-stop; return nil, nil })
	_, rep := threaded(t, fmt.Sprintf("jobs: [{id: a, task: drill, args: %q, foreach: {range: 1..100}, kill_after: 1h}]\n", name), stage{
		before: func() { stop = make(chan struct{}) },
		during: func(tr *trial) {
			synctest.Wait()
			tr.signals <- os.Interrupt
			synctest.Wait()
			tr.signals <- os.Interrupt
		},
		after: func() { close(stop) },
	})
	if rep.Totals.Cancelled != 2 || rep.Totals.NotStarted != 98 || rep.Wall > 1 {
		t.Errorf("after %v s: totals %+v", rep.Wall, rep.Totals)
	}
}

func TestThreads_JobIsAnOwnerThatEnds(t *testing.T) {
	t.Parallel()
	owners := make(chan *owner.Owner, 1)
	name := drill(t, func(ctx context.Context) (any, error) { owners <- owner.From(ctx); return nil, errors.New("bad end") })
	threaded(t, fmt.Sprintf("jobs: [{id: a, task: drill, args: %q, foreach: [1]}]\n", name), stage{})
	o := <-owners
	if o.Identity().Job != "a#0" || !o.Ended() {
		t.Fatalf("owner %v, ended: %v", o.Identity(), o.Ended())
	}
	if cause := o.Abandoned().Cause; cause == nil || !strings.Contains(cause.Error(), "bad end") {
		t.Errorf("it ended by %v", cause)
	}
}

func TestFitsThreads_NamesWhatCannotHold(t *testing.T) {
	t.Parallel()
	f, err := config.Parse(filepath.Join(t.TempDir(), "job.yaml"), []byte(`
jobs:
  - {id: own, task: resize, worker: [./resizer]}
  - {id: elsewhere, task: echo, cwd: sub}
  - {id: slow, task: echo, worker: {start_timeout: 5s}}
  - {id: command, run: [x], cwd: sub}
`))
	if err != nil {
		t.Fatal(err)
	}
	f.Path = "job.yaml"
	err = FitsThreads(f)
	want := "job.yaml:3:5: job own: worker ./resizer is a program of its own, which cannot run as threads of the supervisor\n" +
		"job.yaml:4:5: job elsewhere: cwd cannot hold for a thread: all of a process share one"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
