package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// crash ends its process in the ways of Go's runtime.
var crash = task.Define("crash", func(_ context.Context, how string) (int, error) {
	switch how {
	case "panic":
		go panicking()
	case "nil":
		go func() { fmt.Println(*nilPointer()) }()
	case "maps":
		writeTogether()
	case "overflow":
		return deeper([64]byte{}), nil
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGABRT)
	case "escape":
		fmt.Fprint(os.Stderr, "\x1b]0;owned\x07\x1b[31mbye\u202e\n")
		os.Exit(9)
	}
	select {}
})

func panicking() { panic("boom") }

//go:noinline
func nilPointer() *int { return nil }

func writeTogether() {
	m := map[int]int{}
	for range 4 {
		go func() {
			for i := 0; ; i++ {
				m[i%8]++
			}
		}()
	}
	select {}
}

//lint:ignore SA5007 it is there to run out of stack
//go:noinline
func deeper(x [64]byte) int { return deeper(x) + int(x[0]) }

func TestCrash_NamesWhatAndWhere(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Restarts: 100}) // so that the worker has all processors
	for how, c := range map[string]struct{ which, evidence string }{
		"panic":    {pool.WhichPanic, `exited with code 2 under the job: panic: boom, in .*pool_test\.panicking \(crash_linux_test\.go:\d+\)$`},
		"nil":      {pool.WhichPanic, `: panic: runtime error: invalid memory address or nil pointer dereference, in .*\(crash_linux_test\.go:\d+\)$`},
		"maps":     {pool.WhichFatal, `: fatal error: concurrent map .*writes?, in .*pool_test\.writeTogether\.func1 \(crash_linux_test\.go:\d+\)$`},
		"overflow": {pool.WhichFatal, `: fatal error: stack overflow, in .*pool_test\.deeper \(crash_linux_test\.go:\d+\)$`},
		"kill":     {pool.WhichFatal, `: SIGABRT: abort`},
		"escape":   {"", `exited with code 9 under the job: \]0;owned\[31mbye$`},
	} {
		_, err := pool.Call(b.ctx, b.Pool, crash, how)
		var lost *pool.WorkerLostError
		if !errors.As(err, &lost) || lost.Outcome != pool.Crashed || lost.Which != c.which || !regexp.MustCompile(c.evidence).MatchString(lost.Evidence) {
			t.Errorf("%s: %v, want %q and %s", how, err, c.which, c.evidence)
		}
	}
}

func TestEvidence_OfATasksErrorActsOnNoTerminal(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	payload, _ := failSoft.EncodeIn(nil, "\x1b[2Jgone\u202e")
	if r := b.runJob(&pool.Job{Task: failSoft.Name(), Payload: payload}); !strings.HasSuffix(r.Evidence, "[2Jgone") || strings.Contains(r.Evidence, "\x1b") {
		t.Errorf("evidence %q", r.Evidence)
	}
}

// hangs does not end, and looks at no context.
var hangs = task.Define("hangs", func(ctx context.Context, how string) (int, error) {
	if err := worker.Progress(ctx, 1); err != nil {
		return 0, err
	}
	switch how {
	case "sleep":
		oversleep()
	case "compute":
		return compute(), nil
	case "stop":
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		oversleep()
	}
	return 0, nil
})

//go:noinline
func oversleep() { time.Sleep(time.Minute) }

//go:noinline
func compute() (n int) {
	for until := time.Now().Add(time.Minute); time.Now().Before(until); n++ {
	}
	return n
}

func TestHang_IsToldWithTheJobsOwnStack(t *testing.T) {
	t.Parallel()
	short := func(j *pool.Job) { j.Timeout, j.KillAfter = 50*time.Millisecond, 50*time.Millisecond }
	for name, c := range map[string]struct {
		how     string
		change  func(*pool.Job)
		outcome pool.Outcome
		in      string
	}{
		"timeout":           {"sleep", short, pool.TimedOut, "oversleep"},
		"timeout of a loop": {"compute", short, pool.TimedOut, "compute"},
		"cancel that is not obeyed": {"sleep", func(j *pool.Job) {
			j.KillAfter = 50 * time.Millisecond
		}, pool.Cancelled, "oversleep"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 1})
			payload, _ := hangs.EncodeIn(nil, c.how)
			j := &pool.Job{Task: hangs.Name(), Payload: payload}
			c.change(j)
			if c.outcome == pool.Cancelled {
				j.Progress = func(j *pool.Job, _ []byte) { b.Cancel(j) }
			}
			var r pool.Result
			var tail string
			done := make(chan struct{})
			j.Done = func(_ *pool.Job, got *pool.Result) {
				r, tail = *got, string(got.Stderr.Tail(2<<10))
				close(done)
			}
			if err := b.Go(j); err != nil {
				t.Fatal(err)
			}
			<-done
			if r.Outcome != c.outcome || !regexp.MustCompile(`; it hangs in .*`+c.in+`.* \(.*\.go:\d+\); worker-1 \(pid \d+\) was killed$`).MatchString(b.await(pool.WorkerExited).Evidence) {
				t.Errorf("%s: %s (%s)", r.Outcome, r.Evidence, b.await(pool.WorkerExited).Evidence)
			}
			if r.Signal != int(syscall.SIGQUIT) || r.ExitCode != -1 {
				t.Errorf("exit code %d, signal %d", r.ExitCode, r.Signal)
			}
			if _, stack, found := strings.Cut(tail, ipc.StackMark); !found || !strings.Contains(stack, c.in) || strings.Contains(stack, "worker.(*runner)") {
				t.Errorf("the tail of stderr has no stack of the job: %q", tail)
			}
		})
	}
}

// One that is stopped is not made to go on only to tell where it is: its job would go on
// too, although it has been given up.
func TestHang_WhoIsStoppedStaysSo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		job     pool.Job
		outcome pool.Outcome
	}{
		"timeout": {pool.Job{Timeout: 50 * time.Millisecond, KillAfter: 50 * time.Millisecond}, pool.TimedOut},
		"stuck":   {pool.Job{Program: &pool.Program{StuckAfter: 400 * time.Millisecond}}, pool.Crashed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 1})
			c.job.Task = hangs.Name()
			c.job.Payload, _ = hangs.EncodeIn(nil, "stop")
			if r := b.runJob(&c.job); r.Outcome != c.outcome || r.Signal != int(syscall.SIGKILL) {
				t.Errorf("%s, signal %d: %s", r.Outcome, r.Signal, r.Evidence)
			}
		})
	}
}

// One that says it would write its stacks, and does not, is killed as any other.
func TestHang_WhoWritesNoStacksIsKilledInTime(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	start := time.Now()
	payload, _ := noop.EncodeIn(nil, 1)
	r := b.runJob(&pool.Job{
		Task: noop.Name(), Payload: payload, Timeout: 100 * time.Millisecond, KillAfter: 50 * time.Millisecond,
		Program: &pool.Program{Env: append(os.Environ(), "POOL_TEST_SILENT=1")},
	})
	if r.Outcome != pool.TimedOut || r.Signal != int(syscall.SIGKILL) || strings.Contains(r.Evidence, "hangs in") {
		t.Errorf("%s, signal %d: %s", r.Outcome, r.Signal, r.Evidence)
	}
	if took := time.Since(start); took < 600*time.Millisecond || took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func init() { roles = append(roles, beSilent) }

// beSilent is a worker that announces its stacks, starts a job, and then ignores
// every signal that it can.
func beSilent() {
	if os.Getenv("POOL_TEST_SILENT") == "" || boot.Role != boot.Worker {
		return
	}
	signal.Ignore(syscall.SIGQUIT, syscall.SIGTERM)
	w := faulttest.New(noop.Name())
	w.Ready(ipc.CapStacks)
	w.Job()
	faulttest.Hang()
}
