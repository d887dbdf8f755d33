package pool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// calls makes the worker's reader stand aside, as it does for who calls often.
func (b *bundle) calls(n int) {
	b.Helper()
	for i := range n {
		if got, err := pool.Call(b.ctx, b.Pool, noop, i); err != nil || got != i {
			b.Fatalf("call %d: %d, %v", i, got, err)
		}
	}
}

func TestCall_ReturnsWhenItsContextEndsWhileItReads(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	b.calls(10)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(b.ctx)
	time.AfterFunc(30*time.Millisecond, func() { cancel(why) })
	start := time.Now()
	if _, err := pool.Call(ctx, b.Pool, deaf, 500*time.Millisecond); err != why {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 400*time.Millisecond {
		t.Errorf("after %v", d)
	}
	b.calls(10) // the worker goes on
}

func TestCall_OfAWorkerThatDiesWhileItReads(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	for range 5 {
		b.calls(10)
		var lost *pool.WorkerLostError
		if _, err := pool.Call(b.ctx, b.Pool, raise, int(syscall.SIGKILL)); !errors.As(err, &lost) || lost.Signal != int(syscall.SIGKILL) {
			t.Errorf("error %v", err)
		}
		if _, err := pool.Call(b.ctx, b.Pool, exit, 3); !errors.As(err, &lost) || lost.ExitCode != 3 {
			t.Errorf("error %v", err)
		}
	}
}

func TestCall_EndOfThePoolWhileItReads(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*pool.Pool){
		"kill": (*pool.Pool).Kill,
		"shutdown": func(p *pool.Pool) {
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			p.Shutdown(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 1})
			b.calls(10)
			time.AfterFunc(50*time.Millisecond, func() { end(b.Pool) })
			if _, err := pool.Call(b.ctx, b.Pool, deaf, time.Minute); !errors.Is(err, pool.ErrCancelled) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A worker that nobody reads is seen to die, and what it says arrives.
func TestReader_ComesBackWhenNobodyLeads(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	for range 5 {
		b.calls(10)
		f := submit(b, noop, 7) // nobody waits for it in a call
		select {
		case <-f.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("the result of a submission was not read")
		}
		b.calls(10)
		id, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		lost := b.WorkersLost()
		syscall.Kill(id, syscall.SIGKILL)
		waitFor(t, func() bool { return b.WorkersLost() > lost })
	}
}

func TestCall_ManyAtOnceWithSubmissionsAndKills(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2, Restarts: 1000})
	stop := make(chan struct{})
	var all sync.WaitGroup
	worker := func(f func(i int)) {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		}()
	}
	check := func(what string, got, want int, err error) {
		var lost *pool.WorkerLostError
		if err == nil && got != want || err != nil && !errors.As(err, &lost) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, pool.ErrCancelled) {
			t.Errorf("%s: %d, want %d; %v", what, got, want, err)
		}
	}
	for range 4 {
		worker(func(i int) {
			n, err := pool.Call(b.ctx, b.Pool, noop, i)
			check("call", n, i, err)
		})
	}
	worker(func(i int) {
		ctx, cancel := context.WithTimeout(b.ctx, time.Duration(i%100)*time.Microsecond)
		defer cancel()
		n, err := pool.Call(ctx, b.Pool, noop, i)
		check("call with little time", n, i, err)
	})
	worker(func(i int) {
		f := submit(b, noop, i)
		n, err := f.Result(b.ctx)
		check("submission", n, i, err)
	})
	worker(func(i int) { // from time to time everybody pauses
		time.Sleep(time.Duration(i%40) * time.Millisecond)
		for _, w := range b.Stats().Workers {
			if w.PID > 0 && w.State != pool.WorkerStarting && i%3 == 0 {
				syscall.Kill(w.PID, syscall.SIGKILL)
				return
			}
		}
	})
	length := 3 * time.Second
	if testing.Short() {
		length = time.Second
	}
	time.Sleep(length)
	close(stop)
	all.Wait()
}

// failsOnce fails where a file is not there yet, and makes it.
var failsOnce = task.Define("failsOnce", func(_ context.Context, mark string) (int, error) {
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 1, nil
	}
	f.Close()
	return 0, errSentinel
})

// The next attempt may run where the one who waits does not read.
func TestCall_WhoseJobGoesElsewhereForItsNextAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	other := submit(b, nap, 200*time.Millisecond) // has the worker that will be used last, and first
	waitFor(t, func() bool { return b.Stats().Running == 1 })
	b.calls(20)
	start := time.Now()
	mark := filepath.Join(t.TempDir(), "mark")
	n, err := pool.Call(b.ctx, b.Pool, failsOnce, mark, pool.WithRetry(pool.Retry{Max: 1, Backoff: 400 * time.Millisecond}))
	if d := time.Since(start); n != 1 || err != nil || d > 10*time.Second {
		t.Errorf("%d, %v after %v", n, err, d)
	}
	if _, err := other.Result(b.ctx); err != nil {
		t.Error(err)
	}
}

func TestCall_LeavesTheOtherThreadsToOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Threads: 2}})
	b.calls(20)
	long := make(chan struct{})
	ctx, cancel := context.WithCancel(b.ctx)
	go func() {
		defer close(long)
		pool.Call(ctx, b.Pool, nap, time.Minute)
	}()
	waitFor(t, func() bool { return b.Stats().Running == 1 })
	b.calls(20) // beside it
	cancel()
	<-long
}

func TestCall_WithAContextThatHasEndedRunsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(b.ctx)
	cancel(why)
	if _, err := pool.Call(ctx, b.Pool, noop, 1); err != why {
		t.Errorf("error %v", err)
	}
	if s := b.Stats(); s.Submitted != 0 {
		t.Errorf("%d jobs were submitted", s.Submitted)
	}
}

// Whoever is prepared when an answer makes room may need what the caller holds.
func TestCall_DoesNotPrepareJobsOfOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	b.calls(20)
	var mu sync.Mutex
	mu.Lock()
	done := make(chan struct{})
	time.AfterFunc(50*time.Millisecond, func() {
		b.Go(&pool.Job{Task: noop.Name(), Prepare: func(j *pool.Job, _, _ int) (err error) {
			mu.Lock()
			defer mu.Unlock()
			j.Payload, err = noop.EncodeIn(nil, 1)
			return err
		}, Done: func(*pool.Job, *pool.Result) { close(done) }})
	})
	if _, err := pool.Call(b.ctx, b.Pool, nap, 200*time.Millisecond); err != nil {
		t.Error(err)
	}
	mu.Unlock()
	<-done
}
