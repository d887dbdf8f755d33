package pool_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// spin keeps its processor busy.
var spin = task.Define("spin", func(_ context.Context, d time.Duration) (n int, err error) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		n++
	}
	return n, nil
})

// of returns the kinds of events about a worker, in their order.
func (b *bundle) kinds() (kinds []pool.WorkerEventKind) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestHeartbeat_StuckIsToldAndThenKilled(t *testing.T) {
	t.Parallel()
	lines := new(syncBuffer)
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{StuckAfter: time.Second}, Logger: hclog.New(&hclog.LoggerOptions{Output: lines})})
	start := time.Now()
	_, err := pool.Call(b.ctx, b.Pool, raise, int(syscall.SIGSTOP), pool.WithLabel("stopped"))
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) || lost.Outcome != pool.Crashed || lost.Which != pool.WhichStuck || !strings.Contains(lost.Evidence, "answered no heartbeat for 1s") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d < time.Second || d > 10*time.Second {
		t.Errorf("after %v", d)
	}
	if k := b.kinds(); !slices.Equal(k, []pool.WorkerEventKind{pool.WorkerReady, pool.WorkerSilent, pool.WorkerExited}) {
		t.Errorf("events %v", k)
	}
	if !strings.Contains(lines.String(), "worker has not answered a heartbeat for") || !strings.Contains(lines.String(), "job=stopped") {
		t.Errorf("log:\n%s", lines)
	}
	// The next worker is as good as the first.
	if _, err := pool.Call(b.ctx, b.Pool, noop, 1); err != nil {
		t.Error(err)
	}
}

func TestHeartbeat_SlowIsNotStuck(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2, Program: pool.Program{StuckAfter: 1500 * time.Millisecond}})
	sleeps, spins := submit(b, deaf, 3*time.Second), submit(b, spin, 3*time.Second)
	for _, f := range []*pool.Future[int]{sleeps, spins} {
		if _, err := f.Result(b.ctx); err != nil {
			t.Error(err)
		}
	}
	if k := b.kinds(); slices.Contains(k, pool.WorkerSilent) || slices.Contains(k, pool.WorkerExited) {
		t.Errorf("events %v", k)
	}
}

func TestHeartbeat_RecoversWhoWasStopped(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{StuckAfter: 20 * time.Second}})
	// Without a limit of its own a worker is told of after 15 s; half of 20 s is less.
	f := submit(b, nap, 100*time.Millisecond)
	waitFor(t, func() bool { return b.Stats().Running == 1 && b.Stats().Workers[0].State == pool.WorkerBusy })
	id := b.Stats().Workers[0].PID
	syscall.Kill(id, syscall.SIGSTOP)
	b.await(pool.WorkerSilent)
	if w := b.Stats().Workers[0]; w.State != pool.WorkerStuck || w.Silent < 9*time.Second {
		t.Errorf("%+v", w)
	}
	syscall.Kill(id, syscall.SIGCONT)
	if _, err := f.Result(b.ctx); err != nil {
		t.Error(err)
	}
	g := submit(b, nap, 100*time.Millisecond)
	if n, err := g.Result(b.ctx); err != nil || n != id {
		t.Errorf("process %d, %v", n, err)
	}
	if k := b.kinds(); !slices.Equal(k, []pool.WorkerEventKind{pool.WorkerReady, pool.WorkerSilent, pool.WorkerRecovered}) {
		t.Errorf("events %v", k)
	}
}

const stoppedEnv = "POOL_TEST_STOPPED"

func init() { roles = append(roles, beStopped) }

// beStopped is a program with a pool that is stopped for a while: all its
// deadlines are over when it goes on, and yet nobody was late.
func beStopped() {
	if os.Getenv(stoppedEnv) == "" || boot.Role != boot.Program {
		return
	}
	worker.Init()
	ctx := context.Background()
	silent := 0
	p, err := pool.New(ctx, pool.Config{
		Workers: 3, Program: pool.Program{StuckAfter: 3 * time.Second, StartTimeout: 3 * time.Second},
		OnWorker: func(e pool.WorkerEvent) {
			if e.Kind == pool.WorkerSilent {
				silent++
			}
		},
	})
	must := func(err error) {
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
	}
	must(err)
	must(p.Warm(ctx))
	run, err := pool.Submit(ctx, p, nap, 2*time.Second, pool.WithTimeout(3*time.Second))
	must(err)
	// One that is asked to end just before the stop, and takes a while to.
	late, err := pool.Submit(ctx, p, lateToEnd, 2*time.Second, pool.WithKillAfter(3*time.Second))
	must(err)
	for p.Stats().Running < 2 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // until it has begun
	late.Cancel()
	// One for which a worker is about to be started.
	p.Go(&pool.Job{Task: nap.Name(), Payload: []byte{1}, Program: &pool.Program{Dir: "/", StartTimeout: 3 * time.Second}, Done: func(_ *pool.Job, r *pool.Result) {
		fmt.Println("start:", r.Outcome)
	}})
	fmt.Println("stop me")
	_, err = run.Result(ctx)
	fmt.Println("run:", err)
	_, err = late.Result(ctx)
	fmt.Println("late:", errors.Is(err, pool.ErrCancelled))
	r := p.Shutdown(ctx)
	fmt.Println("lost:", r.WorkersLost, "silent:", silent)
	os.Exit(0)
}

// lateToEnd heeds a cancellation only after a while.
var lateToEnd = task.Define("lateToEnd", func(ctx context.Context, d time.Duration) (int, error) {
	<-ctx.Done()
	time.Sleep(d)
	return 0, context.Cause(ctx)
})

func TestStopOfTheSupervisor_IsChargedToNobody(t *testing.T) {
	t.Parallel()
	gated(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), stoppedEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "stop me" {
			cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(5 * time.Second)
			cmd.Process.Signal(syscall.SIGCONT)
			continue
		}
		said = append(said, lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	slices.Sort(said)
	if want := []string{"late: true", "lost: 0 silent: 0", "run: <nil>", "start: ok"}; !slices.Equal(said, want) {
		t.Errorf("it said %q, want %q", said, want)
	}
}

func TestLogger_GetsTheLinesOfTasksWithTheirOrigin(t *testing.T) {
	t.Parallel()
	lines := new(syncBuffer)
	b := setup(t, pool.Config{Workers: 1, Logger: hclog.New(&hclog.LoggerOptions{Output: lines})})
	if _, err := pool.Call(b.ctx, b.Pool, logs, 3, pool.WithLabel("the job")); err != nil {
		t.Fatal(err)
	}
	if want := `[WARN]  hello: worker=worker-1 job="the job" n=3 odd=true` + "\n"; !strings.Contains(lines.String(), want) || strings.Contains(lines.String(), "below") {
		t.Errorf("log:\n%s\nwant\n%s", lines, want)
	}
}

var logs = task.Define("logs", func(ctx context.Context, n int) (int, error) {
	worker.Logger(ctx).Debug("below the level")
	worker.Logger(ctx).Warn("hello", "n", n, "odd", n%2 == 1)
	return n, nil
})

var counts = task.Define("counts", func(ctx context.Context, n int) (int, error) {
	for i := range n {
		if err := worker.Progress(ctx, i+1); err != nil {
			return 0, err
		}
	}
	return n, nil
})

func TestWithProgress_HandsOnTheNewestReport(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	got := make(chan int, 1000)
	if _, err := pool.Call(b.ctx, b.Pool, counts, 1000, pool.WithProgress(func(n int) { got <- n })); err != nil {
		t.Fatal(err)
	}
	for last := 0; last != 1000; {
		n := <-got
		if n <= last {
			t.Fatalf("%d after %d", n, last)
		}
		last = n
	}
}

func TestWithProgress_BadCallbacksStallNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	block := make(chan struct{})
	defer close(block)
	for _, opt := range []pool.Option{
		pool.WithProgress(func(int) { <-block }),
		pool.WithProgress(func(int) { panic("aargh") }),
		pool.WithProgress(func(string) { t.Error("an integer was decoded as text") }),
	} {
		if n, err := pool.Call(b.ctx, b.Pool, counts, 100, opt); err != nil || n != 100 {
			t.Error(n, err)
		}
	}
	if _, err := pool.Call(b.ctx, b.Pool, counts, 1, pool.WithProgress[int](nil)); !errors.Is(err, pool.ErrJob) {
		t.Errorf("no function: %v", err)
	}
}
