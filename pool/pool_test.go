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
	told   chan struct{} // there are more events
}

// await waits for the first event of a kind.
func (b *bundle) await(kind pool.WorkerEventKind) pool.WorkerEvent {
	b.Helper()
	for {
		b.mu.Lock()
		i := slices.IndexFunc(b.events, func(e pool.WorkerEvent) bool { return e.Kind == kind })
		if i >= 0 {
			defer b.mu.Unlock()
			return b.events[i]
		}
		b.mu.Unlock()
		select {
		case <-b.told:
		case <-b.ctx.Done():
			b.Fatalf("no event of kind %d", kind)
		}
	}
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
	gated(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	b := &bundle{T: t, ctx: ctx, stdout: new(syncBuffer), stderr: new(syncBuffer), told: make(chan struct{}, 1)}
	cfg.Stdout, cfg.Stderr = b.stdout, b.stderr
	cfg.OnWorker = func(e pool.WorkerEvent) {
		b.mu.Lock()
		b.events = append(b.events, e)
		b.mu.Unlock()
		select {
		case b.told <- struct{}{}:
		default:
		}
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

// The wire has milliseconds.
func TestTimeout_OfAFractionOfAMillisecond(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	for _, d := range []time.Duration{time.Microsecond, 500 * time.Microsecond, 1999 * time.Microsecond} {
		for range 20 {
			if _, err := submit(b, nap, time.Minute, pool.WithTimeout(d)).Result(b.ctx); !errors.Is(err, pool.ErrTimeout) {
				t.Fatalf("timeout of %v: %v", d, err)
			}
		}
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

// linger says in a file that it has started, and waits to be interrupted.

var linger = task.Define("linger", func(ctx context.Context, mark string) (int, error) {
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return 0, err
	}
	<-ctx.Done()
	return 0, context.Cause(ctx)
})
