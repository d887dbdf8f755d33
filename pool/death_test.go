//go:build unix

package pool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

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

func TestIdleWorkerKilled_IsReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	first, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(first, syscall.SIGKILL)
	b.await(pool.WorkerExited)
	second, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
	if err != nil || second == first {
		t.Errorf("pid %d after %d, %v", second, first, err)
	}
}

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
