//go:build unix

package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// children returns the processes whose parent this one is.
func children() (pids []int) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, f := range strings.Fields(string(b)) {
			pid, _ := strconv.Atoi(f)
			pids = append(pids, pid)
		}
	}
	return pids
}

type bundle struct {
	*testing.T
	*pool.Pool
	ctx    context.Context
	stdout *syncBuffer
	stderr *syncBuffer
	mu     sync.Mutex
	events []pool.WorkerEvent
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func setup(t *testing.T, cfg pool.Config) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	b := &bundle{T: t, ctx: ctx, stdout: new(syncBuffer), stderr: new(syncBuffer)}
	cfg.Stdout, cfg.Stderr = b.stdout, b.stderr
	cfg.OnWorker = func(e pool.WorkerEvent) {
		b.mu.Lock()
		b.events = append(b.events, e)
		b.mu.Unlock()
	}
	p, err := pool.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Pool = p
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		cancel()
	})
	return b
}

func submit[In, Out any](b *bundle, t task.Task[In, Out], in In, opts ...pool.Option) *pool.Future[Out] {
	b.Helper()
	f, err := pool.Submit(context.Background(), b.Pool, t, in, opts...)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

func TestCall_ReturnsTheResult(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	for _, n := range []int{0, 1, 100, 64 << 10, 64<<10 + 1, 1 << 20, 16 << 20} {
		in := bytes.Repeat([]byte{7}, n)
		out, err := pool.Call(b.ctx, b.Pool, echo, in)
		if err != nil || !bytes.Equal(in, out) {
			t.Fatalf("echo of %d bytes: %d bytes, %v", n, len(out), err)
		}
	}
}

func TestSubmit_ManyAcrossWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 3})
	const n = 20000
	futures := make([]*pool.Future[int], n)
	for i := range futures {
		futures[i] = submit(b, noop, i)
	}
	for i, f := range futures {
		if got, err := f.Result(b.ctx); err != nil || got != i {
			t.Fatalf("job %d: %d, %v", i, got, err)
		}
	}
}

func TestSubmit_MixesLargeAndSmall(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	var futures []*pool.Future[[]byte]
	var want [][]byte
	for i := range 300 {
		size := 10 + i
		if i%17 == 0 {
			size = 1<<20 + i
		}
		in := bytes.Repeat([]byte{byte(i)}, size)
		want = append(want, in)
		futures = append(futures, submit(b, echo, in))
	}
	for i, f := range futures {
		if got, err := f.Result(b.ctx); err != nil || !bytes.Equal(got, want[i]) {
			t.Fatalf("job %d: %d bytes, %v", i, len(got), err)
		}
	}
}

func TestResult_CarriesTheTasksError(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	_, err := pool.Call(b.ctx, b.Pool, fail, "went wrong")
	var te *pool.TaskError
	if !errors.As(err, &te) || !errors.Is(err, errSentinel) || !strings.Contains(err.Error(), "went wrong") {
		t.Errorf("error %v", err)
	}
	_, err = pool.Call(b.ctx, b.Pool, boom, "aargh")
	if !errors.As(err, &te) || !te.Failure.Panic || !strings.Contains(te.Failure.Stack, "main_test.go") {
		t.Errorf("panic came back as %+v", err)
	}
	if b.WorkersLost() != 0 {
		t.Error("a panic has ended a worker")
	}
}

// The heart of it: with deep windows, a worker's death costs the job that it had
// started, and no other.
func TestDeath_CostsOnlyTheStartedJob(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*bundle) *pool.Future[int]{
		"SIGKILL": func(b *bundle) *pool.Future[int] { return submit(b, raise, int(syscall.SIGKILL)) },
		"SIGTERM": func(b *bundle) *pool.Future[int] {
			return submit(b, raise, int(syscall.SIGSTOP), pool.WithTimeout(100*time.Millisecond), pool.WithKillAfter(50*time.Millisecond))
		},
		"exit 0": func(b *bundle) *pool.Future[int] { return submit(b, exit, 0) },
		"exit 3": func(b *bundle) *pool.Future[int] { return submit(b, exit, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 2})
			var good []*pool.Future[int]
			var bad []*pool.Future[int]
			for i := range 5000 {
				if i%1000 == 500 {
					bad = append(bad, kill(b))
				}
				good = append(good, submit(b, noop, i))
			}
			for i, f := range good {
				if got, err := f.Result(b.ctx); err != nil || got != i {
					t.Fatalf("innocent job %d: %d, %v", i, got, err)
				}
			}
			for _, f := range bad {
				_, err := f.Result(b.ctx)
				var lost *pool.WorkerLostError
				switch {
				case name == "SIGTERM" && errors.Is(err, pool.ErrTimeout):
				case name == "SIGKILL" && errors.As(err, &lost) && lost.Signal == int(syscall.SIGKILL):
				case name == "exit 0" && errors.As(err, &lost) && lost.ExitCode == 0 && lost.Signal == 0:
				case name == "exit 3" && errors.As(err, &lost) && lost.ExitCode == 3:
				default:
					t.Errorf("guilty job: %v", err)
				}
			}
			if got := b.WorkersLost(); got != len(bad) {
				t.Errorf("%d workers lost, want %d", got, len(bad))
			}
		})
	}
}

func TestDeath_FromOutsideNamesTheRightJob(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	victim, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 30000
	var lost, ok atomic.Int64
	var done sync.WaitGroup
	for i := range n {
		if i == n/2 {
			syscall.Kill(victim, syscall.SIGKILL)
		}
		done.Add(1)
		payload, _ := noop.EncodeIn(nil, i)
		err := b.Go(&pool.Job{Task: noop.Name(), Payload: payload, Done: func(j *pool.Job, r *pool.Result) {
			defer done.Done()
			switch r.Outcome {
			case pool.OK:
				if v, err := noop.DecodeOut(r.Value); err != nil || v != i {
					t.Errorf("job %d: %d, %v", i, v, err)
				}
				ok.Add(1)
			case pool.Crashed:
				lost.Add(1)
			default:
				t.Errorf("job %d: %s %s", i, r.Outcome, r.Evidence)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	done.Wait()
	if lost.Load() > 1 || lost.Load()+ok.Load() != n {
		t.Errorf("%d lost, %d ok of %d", lost.Load(), ok.Load(), n)
	}
}

func TestRetry_RunsAgainInAnotherWorker(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	flag := filepath.Join(t.TempDir(), "flag")
	var attempts []int
	out := make(chan *pool.Result, 1)
	payload, _ := onceBad.EncodeIn(nil, flag)
	b.Go(&pool.Job{Task: onceBad.Name(), Payload: payload, Retry: pool.Retry{Max: 2, NoBackoff: true},
		Retrying: func(_ *pool.Job, r *pool.Result, _ time.Duration) { attempts = append(attempts, r.Attempt) },
		Done:     func(_ *pool.Job, r *pool.Result) { c := *r; out <- &c },
	})
	r := <-out
	if r.Outcome != pool.OK || r.Attempt != 2 || !slices.Equal(attempts, []int{1}) {
		t.Errorf("%+v after retries of %v", r, attempts)
	}
}

var onceBad = task.Define("oncebad", func(_ context.Context, flag string) (int, error) {
	if _, err := os.Stat(flag); err != nil {
		os.WriteFile(flag, nil, 0o600)
		os.Exit(7)
	}
	return 1, nil
})

func TestPoison_StopsAtTheSecondWorker(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	f := submit(b, raise, int(syscall.SIGSEGV), pool.WithRetry(pool.Retry{Max: 10, NoBackoff: true}))
	other := submit(b, noop, 5)
	_, err := f.Result(b.ctx)
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) || !lost.Poisoned {
		t.Errorf("error %v", err)
	}
	if n, err := other.Result(b.ctx); n != 5 || err != nil {
		t.Errorf("the other job: %d, %v", n, err)
	}
	if b.WorkersLost() != 2 {
		t.Errorf("%d workers lost, want 2", b.WorkersLost())
	}
}

func TestTimeout_CountsFromTheStartInTheWorker(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	// Behind one that takes longer than their timeout, these still have their own.
	first := submit(b, nap, 400*time.Millisecond)
	var rest []*pool.Future[int]
	for range 3 {
		rest = append(rest, submit(b, nap, 10*time.Millisecond, pool.WithTimeout(300*time.Millisecond)))
	}
	slow := submit(b, nap, time.Minute, pool.WithTimeout(100*time.Millisecond))
	if _, err := first.Result(b.ctx); err != nil {
		t.Error(err)
	}
	for _, f := range rest {
		if _, err := f.Result(b.ctx); err != nil {
			t.Error(err)
		}
	}
	if _, err := slow.Result(b.ctx); !errors.Is(err, pool.ErrTimeout) {
		t.Errorf("error %v", err)
	}
	if b.WorkersLost() != 0 {
		t.Error("a task that heeds its context cost a worker")
	}
	start := time.Now()
	_, err := pool.Call(b.ctx, b.Pool, deaf, time.Minute, pool.WithTimeout(50*time.Millisecond), pool.WithKillAfter(50*time.Millisecond))
	if !errors.Is(err, pool.ErrTimeout) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestRecall_TakesJobsFromBehindALongOne(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	for i := range 2000 { // learn that jobs are short
		submit(b, noop, i)
	}
	long := submit(b, deaf, 2*time.Second)
	var rest []*pool.Future[int]
	for i := range 500 {
		rest = append(rest, submit(b, noop, i))
	}
	start := time.Now()
	for _, f := range rest {
		if _, err := f.Result(b.ctx); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-long.Done():
		t.Errorf("short jobs took %v and waited for the long one", time.Since(start))
	default:
	}
	long.Cancel()
}

func TestCancel_QueuedAndRunning(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	running := submit(b, nap, time.Minute)
	queued := submit(b, nap, time.Minute)
	queued.Cancel()
	if _, err := queued.Result(b.ctx); !errors.Is(err, pool.ErrCancelled) {
		t.Errorf("queued: %v", err)
	}
	running.Cancel()
	if _, err := running.Result(b.ctx); !errors.Is(err, pool.ErrCancelled) {
		t.Errorf("running: %v", err)
	}
	stubborn := submit(b, deaf, time.Minute, pool.WithKillAfter(50*time.Millisecond))
	next := submit(b, noop, 1)
	stubborn.Cancel()
	if _, err := stubborn.Result(b.ctx); !errors.Is(err, pool.ErrCancelled) {
		t.Errorf("stubborn: %v", err)
	}
	if _, err := next.Result(b.ctx); err != nil {
		t.Error(err)
	}
}

func TestOutput_BelongsToItsJob(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	const n = 3000
	var done sync.WaitGroup
	for i := range n {
		done.Add(1)
		text := fmt.Sprintf("<%d>", i)
		tk, in := printer.Name(), text
		payload, _ := printer.EncodeIn(nil, in)
		if i%3 == 0 {
			tk = noop.Name()
			payload, _ = noop.EncodeIn(nil, i)
		}
		b.Go(&pool.Job{Task: tk, Payload: payload, Done: func(_ *pool.Job, r *pool.Result) {
			defer done.Done()
			want, wantErr := text, "E"+text
			if i%3 == 0 {
				want, wantErr = "", ""
			}
			if got := string(r.Stdout.Tail(100)); got != want {
				t.Errorf("job %d: stdout %q, want %q", i, got, want)
			}
			if got := string(r.Stderr.Tail(100)); got != wantErr {
				t.Errorf("job %d: stderr %q, want %q", i, got, wantErr)
			}
		}})
	}
	done.Wait()
	pool.Call(b.ctx, b.Pool, printer, "for people")
	if b.stdout.String() != "for people" {
		t.Errorf("Call let %q through", b.stdout.String())
	}
}

func TestOutput_FloodIsStopped(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, MaxOutput: 4 << 20})
	_, err := pool.Call(b.ctx, b.Pool, flood, struct{}{})
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) || lost.Outcome != pool.Limited || lost.Which != pool.WhichOutput {
		t.Errorf("error %v", err)
	}
}

func runCommand(b *bundle, j *pool.Job) (r pool.Result, stdout, stderr string) {
	done := make(chan struct{})
	j.Done = func(_ *pool.Job, res *pool.Result) {
		r = *res
		var o, e bytes.Buffer
		res.Stdout.WriteTo(&o)
		res.Stderr.WriteTo(&e)
		stdout, stderr = o.String(), e.String()
		close(done)
	}
	if err := b.Go(j); err != nil {
		b.Fatal(err)
	}
	<-done
	return r, stdout, stderr
}

func TestCommand_OutcomesAndOutput(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 4})
	sh := func(script string) *pool.Command { return &pool.Command{Argv: []string{"sh", "-c", script}} }
	for _, c := range []struct {
		name    string
		job     pool.Job
		outcome pool.Outcome
		which   string
		code    int
		signal  int
		out     string
		err     string
	}{
		{"ok", pool.Job{Command: sh("echo out; echo err >&2")}, pool.OK, "", 0, 0, "out\n", "err\n"},
		{"exit 3", pool.Job{Command: sh("exit 3")}, pool.Failed, "", 3, 0, "", ""},
		{"exit 3 is ok", pool.Job{Command: &pool.Command{Argv: []string{"sh", "-c", "exit 3"}, OKExit: []int{0, 3}}}, pool.OK, "", 3, 0, "", ""},
		{"killed", pool.Job{Command: sh("kill -9 $$")}, pool.Crashed, "", -1, 9, "", ""},
		{"timeout", pool.Job{Command: sh("echo a; sleep 60"), Timeout: 100 * time.Millisecond}, pool.TimedOut, "", -1, 15, "a\n", ""},
		{"timeout, deaf", pool.Job{Command: sh("trap '' TERM; echo a; while :; do sleep 1; done"), Timeout: 100 * time.Millisecond, KillAfter: 100 * time.Millisecond}, pool.TimedOut, "", -1, 9, "a\n", ""},
		{"not found", pool.Job{Command: &pool.Command{Argv: []string{"no-such-program"}}}, pool.Failed, pool.WhichSpawn, -1, 0, "", ""},
		{"no such folder", pool.Job{Command: &pool.Command{Argv: []string{"/bin/true"}, Dir: "/nowhere"}}, pool.Failed, pool.WhichSpawn, -1, 0, "", ""},
		{"too long", pool.Job{Command: &pool.Command{Argv: []string{"/bin/echo", strings.Repeat("x", 1<<20)}}}, pool.Failed, pool.WhichSpawn, -1, 0, "", ""},
		{"stdin", pool.Job{Command: &pool.Command{Argv: []string{"cat"}, Stdin: []byte("hello")}}, pool.OK, "", 0, 0, "hello", ""},
		{"environment", pool.Job{Command: &pool.Command{Argv: []string{"/bin/sh", "-c", "echo $A"}, Env: []string{"A=b"}}}, pool.OK, "", 0, 0, "b\n", ""},
		{"background child", pool.Job{Command: sh("sleep 1000 & echo done")}, pool.OK, "", 0, 0, "done\n", ""},
		{"large", pool.Job{Command: sh("head -c 3000000 /dev/zero | tr '\\0' x")}, pool.OK, "", 0, 0, strings.Repeat("x", 3000000), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, out, errs := runCommand(b, &c.job)
			if r.Outcome != c.outcome || r.Which != c.which || r.ExitCode != c.code || r.Signal != c.signal {
				t.Errorf("%s/%s, exit %d, signal %d (%s)", r.Outcome, r.Which, r.ExitCode, r.Signal, r.Evidence)
			}
			if out != c.out || errs != c.err {
				t.Errorf("%d bytes of stdout, stderr %q", len(out), errs)
			}
		})
	}
}

func TestCommand_CancelEndsTheTree(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	mark := filepath.Join(t.TempDir(), "pid")
	done := make(chan pool.Outcome, 1)
	started := make(chan struct{})
	j := &pool.Job{
		Command: &pool.Command{Argv: []string{"sh", "-c", "setsid sleep 1000 & echo $! >" + mark + "; wait"}},
		Started: func(*pool.Job, int, int, string, int) { close(started) },
		Done:    func(_ *pool.Job, r *pool.Result) { done <- r.Outcome },
	}
	b.Go(j)
	<-started
	waitFor(t, func() bool { s, err := os.ReadFile(mark); return err == nil && len(s) > 1 })
	b.Cancel(j)
	if o := <-done; o != pool.Cancelled {
		t.Errorf("outcome %s", o)
	}
	text, _ := os.ReadFile(mark)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("the grandchild %d is still there: %v", pid, err)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("did not come")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestClasses_ShareSlots(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	var programs []*pool.Program
	for i := range 4 {
		programs = append(programs, &pool.Program{Env: append(os.Environ(), fmt.Sprint("CLASS=", i))})
	}
	var done sync.WaitGroup
	for i := range 400 {
		done.Add(1)
		payload, _ := environ.EncodeIn(nil, "CLASS")
		b.Go(&pool.Job{Task: environ.Name(), Payload: payload, Program: programs[i%4], Done: func(_ *pool.Job, r *pool.Result) {
			defer done.Done()
			if v, err := environ.DecodeOut(r.Value); err != nil || v != fmt.Sprint(i%4) {
				t.Errorf("job %d ran in class %q: %v %s", i, v, err, r.Evidence)
			}
		}})
	}
	done.Wait()
}

func TestClasses_NoneStarves(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	other := &pool.Program{Env: append(os.Environ(), "CLASS=other")}
	stop := make(chan struct{})
	var feeding sync.WaitGroup
	feeding.Go(func() { // one class has work without end
		for {
			select {
			case <-stop:
				return
			default:
				pool.Call(b.ctx, b.Pool, noop, 1)
			}
		}
	})
	for range 3 {
		feeding.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					pool.Call(b.ctx, b.Pool, noop, 1)
				}
			}
		})
	}
	payload, _ := environ.EncodeIn(nil, "CLASS")
	got := make(chan pool.Outcome, 2)
	b.Go(&pool.Job{Task: environ.Name(), Payload: payload, Program: other, Done: func(_ *pool.Job, r *pool.Result) { got <- r.Outcome }})
	b.Go(&pool.Job{Command: &pool.Command{Argv: []string{"true"}}, Done: func(_ *pool.Job, r *pool.Result) { got <- r.Outcome }})
	for range 2 {
		select {
		case o := <-got:
			if o != pool.OK {
				t.Errorf("outcome %s", o)
			}
		case <-time.After(20 * time.Second):
			t.Error("a job starves")
		}
	}
	close(stop)
	feeding.Wait()
}

func TestStart_FailingProgramEndsInOneError(t *testing.T) {
	t.Parallel()
	for name, argv := range map[string][]string{
		"dies at once": {"/bin/false"},
		"not there":    {"/no/such/program"},
		"no worker":    {"/bin/echo", "I am no worker"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 2, Program: pool.Program{Command: argv}, Restarts: 2})
			start := time.Now()
			if name == "dies at once" { // with no job to start a worker for
				if _, err := b.Tasks(b.ctx, nil); !errors.Is(err, pool.ErrRestartLimit) {
					t.Errorf("Tasks: %v", err)
				}
			}
			f := submit(b, noop, 1)
			if _, err := f.Result(b.ctx); !errors.Is(err, pool.ErrRestartLimit) {
				t.Errorf("error %v", err)
			}
			if _, err := b.Tasks(b.ctx, nil); !errors.Is(err, pool.ErrRestartLimit) {
				t.Errorf("Tasks: %v", err)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("took %v", d)
			}
			if _, err := submit(b, noop, 2).Result(b.ctx); !errors.Is(err, pool.ErrRestartLimit) {
				t.Errorf("later job: %v", err)
			}
		})
	}
}

func TestStart_Timeout(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Restarts: 1, Program: pool.Program{Command: []string{"sleep", "1000"}, StartTimeout: 50 * time.Millisecond}})
	_, err := submit(b, noop, 1).Result(b.ctx)
	if !errors.Is(err, pool.ErrRestartLimit) || !strings.Contains(err.Error(), "not ready within 50ms") {
		t.Errorf("error %v", err)
	}
}

func TestTasks_AreAnnounced(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	names, err := b.Tasks(b.ctx, nil)
	if err != nil || !slices.Contains(names, "noop") || !slices.IsSorted(names) {
		t.Errorf("%v, %v", names, err)
	}
}

func TestIdleWorkerKilled_IsReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	first, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(first, syscall.SIGKILL)
	waitFor(t, func() bool { return b.WorkersLost() == 1 })
	second, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
	if err != nil || second == first {
		t.Errorf("pid %d after %d, %v", second, first, err)
	}
}

func TestShutdown_ReturnsByItsDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	f := submit(b, deaf, time.Minute)
	g := submit(b, raise, int(syscall.SIGSTOP))
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	r := b.Shutdown(ctx)
	if d := time.Since(start); d > 5*time.Second || r.Cancelled != 2 || len(r.Leaked) != 0 {
		t.Errorf("%+v after %v", r, d)
	}
	for _, f := range []*pool.Future[int]{f, g} {
		if _, err := f.Result(b.ctx); !errors.Is(err, pool.ErrCancelled) {
			t.Errorf("error %v", err)
		}
	}
	if _, err := pool.Submit(b.ctx, b.Pool, noop, 1); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestEncodingErrorComesFromSubmit(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	if _, err := pool.Submit(b.ctx, b.Pool, loose, any(func() {})); err == nil {
		t.Error("a function was encoded")
	}
	if _, err := pool.Submit(b.ctx, b.Pool, echo, make([]byte, 65<<20)); err == nil {
		t.Error("65 MiB were taken")
	}
}

var loose = task.Define("loose", func(_ context.Context, v any) (any, error) { return v, nil })

func TestTerminatedWorker_GivesItsJobsBack(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	for i := range 2000 { // learn that jobs are short, so that many are sent ahead
		submit(b, noop, i)
	}
	first, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(t.TempDir(), "started")
	running := submit(b, linger, mark)
	var rest []*pool.Future[int]
	for i := range 100 {
		rest = append(rest, submit(b, noop, i))
	}
	waitFor(t, func() bool { _, err := os.Stat(mark); return err == nil })
	syscall.Kill(first, syscall.SIGTERM)
	if _, err := running.Result(b.ctx); err == nil {
		t.Error("a task that was interrupted came back as if it had not been")
	}
	for i, f := range rest {
		if got, err := f.Result(b.ctx); err != nil || got != i {
			t.Fatalf("job %d: %d, %v", i, got, err)
		}
	}
}

// linger says in a file that it has started, and waits to be interrupted.
var linger = task.Define("linger", func(ctx context.Context, mark string) (int, error) {
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return 0, err
	}
	<-ctx.Done()
	return 0, context.Cause(ctx)
})

func TestClasses_AreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	var done sync.WaitGroup
	for i := range 40 {
		done.Add(1)
		payload, _ := environ.EncodeIn(nil, "CLASS")
		prog := &pool.Program{Env: append(os.Environ(), fmt.Sprint("CLASS=", i))}
		b.Go(&pool.Job{Task: environ.Name(), Payload: payload, Program: prog, Done: func(_ *pool.Job, r *pool.Result) {
			defer done.Done()
			if v, err := environ.DecodeOut(r.Value); err != nil || v != fmt.Sprint(i) {
				t.Errorf("job %d ran in class %q: %v %s", i, v, err, r.Evidence)
			}
		}})
	}
	done.Wait()
	// Those remain whose workers are kept, and the commands'.
	waitFor(t, func() bool { return b.Classes() <= 2+1 })
	if out, err := pool.Call(b.ctx, b.Pool, noop, 1); err != nil || out != 1 {
		t.Errorf("%d, %v", out, err)
	}
}
