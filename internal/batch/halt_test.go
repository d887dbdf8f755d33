package batch

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/pool"
)

func TestRun_Halt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		halt            string
		bad             []string
		exit            int
		started, cancel int64
	}{
		{"never", []string{"a#1"}, ExitNotOK, 6, 0},
		{"now,fail=1", []string{"a#1"}, ExitHalted, 2, 1},
		{"soon,fail=1", []string{"a#1"}, ExitHalted, 2, 0},
		{"now,success=2", []string{"a#0"}, ExitOK, 3, 1},
		{"soon,fail=3", []string{"a#1"}, ExitNotOK, 6, 0},
	} {
		t.Run(tc.halt, func(t *testing.T) {
			t.Parallel()
			tr := setup(t, `
halt: `+tc.halt+`
jobs:
  - {id: slow, run: [x]}
  - {id: a, run: [x], foreach: {range: 1..6}, max_parallel: 1}
`)
			tr.ex.auto = nil
			rep := tr.steer(func() {
				for i := range 6 {
					settleDown()
					res := ok()
					if label := fmt.Sprintf("a#%d", i); slices.Contains(tc.bad, label) {
						res = failed(1)
					}
					tr.ex.end(fmt.Sprintf("a#%d", i), res)
				}
				settleDown()
				tr.ex.end("slow", ok())
			})
			if got := int64(len(tr.ex.submitted())) - 1; rep.Exit != tc.exit || got != tc.started || rep.Totals.Cancelled != tc.cancel {
				t.Errorf("exit %d, %d started, %d cancelled; want %d, %d, %d", rep.Exit, got, rep.Totals.Cancelled, tc.exit, tc.started, tc.cancel)
			}
		})
	}
}

func TestRun_HaltByPercentageWaitsForTwenty(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
halt: soon,fail=10%
jobs:
  - {id: a, run: [x], foreach: {range: 1..100}, max_parallel: 1}
`)
	tr.ex.auto = okBut("a#0", "a#1")
	rep := tr.run()
	if rep.Exit != ExitHalted || rep.Totals.Jobs != 20 {
		t.Errorf("exit %d after %d jobs", rep.Exit, rep.Totals.Jobs)
	}
}

func TestRun_InterruptLetsRunningJobsFinish(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {range: 1..9}, max_parallel: 2}
`)
	tr.ex.auto = nil
	rep := tr.steer(func() {
		tr.signals <- os.Interrupt
		settleDown()
		tr.ex.end("a#0", ok())
		tr.ex.end("a#1", ok())
	})
	if rep.Exit != ExitSignal+2 || rep.Totals.OK != 2 || rep.Totals.Jobs != 2 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
	if !strings.Contains(tr.stderr.String(), "2 running jobs may finish") {
		t.Errorf("stderr: %s", tr.stderr.String())
	}
}

func TestRun_SecondSignalKills(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x]}]")
	tr.ex.auto = nil
	rep := tr.steer(func() {
		tr.signals <- os.Interrupt
		settleDown()
		if tr.ex.killed || tr.ex.underWay() != 1 {
			t.Error("the first signal ended the job")
		}
		tr.signals <- syscall.SIGTERM
	})
	if !tr.ex.killed || rep.Exit != ExitSignal+2 || rep.Totals.Cancelled != 1 {
		t.Errorf("killed %v, exit %d, totals %+v", tr.ex.killed, rep.Exit, rep.Totals)
	}
}

func TestRun_DrainBoundsAnInterrupt(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x]}]")
	tr.cfg.Drain = 7 * time.Second
	tr.ex.auto = nil
	var took time.Duration
	tr.steer(func() {
		from := time.Now()
		tr.signals <- os.Interrupt
		for !tr.ex.dead() {
			time.Sleep(100 * time.Millisecond)
		}
		took = time.Since(from)
	})
	if took < 7*time.Second || took > 8*time.Second {
		t.Errorf("killed after %v", took)
	}
}

func TestRun_DeadlineInterrupts(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x]}]")
	tr.cfg.Deadline = time.Minute
	tr.ex.auto = nil
	rep := tr.run()
	if rep.Exit != ExitHalted || rep.Totals.Cancelled != 1 || rep.Wall != 60 {
		t.Errorf("exit %d, totals %+v, wall %v", rep.Exit, rep.Totals, rep.Wall)
	}
}

func TestRun_WorkersThatCannotStartHaltTheRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mute                  bool
		cancelled, notStarted int64
	}{
		"before any start":       {true, 0, 4},
		"after a start was told": {false, 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := setup(t, "jobs: [{id: a, task: echo, foreach: {range: 1..5}}]")
			tr.ex.auto, tr.ex.mute = nil, c.mute
			rep := tr.steer(func() {
				for i := range 5 {
					tr.ex.end(fmt.Sprintf("a#%d", i), &pool.Result{Outcome: pool.Internal, Which: pool.WhichStart, Evidence: "restart limit reached", ExitCode: -1})
				}
			})
			if tt := rep.Totals; rep.Exit != ExitHalted || tt.Skipped != 1 || tt.Cancelled != c.cancelled || tt.NotStarted != c.notStarted || tt.Jobs != 1+c.cancelled {
				t.Errorf("exit %d, totals %+v", rep.Exit, tt)
			}
		})
	}
}

// deaf is an executor whose workers do not say which tasks they know.
type deaf struct{ fake }

func (d *deaf) Tasks(ctx context.Context, _ *config.Job) ([]string, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestRun_SignalBeforeTheFirstJobEndsTheRun(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, task: echo}]")
	d := &deaf{}
	tr.cfg.Executor, tr.ex = d, &d.fake
	rep := tr.steer(func() { tr.signals <- syscall.SIGTERM })
	if rep.Exit != ExitSignal+15 || len(d.submitted()) > 0 {
		t.Errorf("exit %d, started %v", rep.Exit, d.submitted())
	}
}

func TestRun_WorkerThatSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, task: echo, worker: {command: [cat], start_timeout: 5s}}]")
	d := &deaf{}
	tr.cfg.Executor, tr.ex = d, &d.fake
	rep := tr.run()
	if rep.Exit != ExitInternal || rep.Wall != 65 || !strings.Contains(rep.Error, "which tasks it knows") {
		t.Errorf("exit %d after %v s: %s", rep.Exit, rep.Wall, rep.Error)
	}
}
