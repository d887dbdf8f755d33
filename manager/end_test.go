//go:build unix

package manager_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// leaving says in which way a task ends that holds a lock.
type leaving struct {
	Lock *psync.Lock
	Held *queue.Queue[int] // told once it is held
	How  string
}

var leave = task.Define("leave", func(ctx context.Context, in leaving) (int, error) {
	if _, err := in.Lock.Acquire(ctx); err != nil {
		return 0, err
	}
	if err := in.Held.Put(ctx, 1); err != nil {
		return 0, err
	}
	switch in.How {
	case "error":
		return 0, errors.New("left")
	case "panic":
		panic("left")
	case "goexit":
		runtime.Goexit()
	case "cancel":
		<-ctx.Done()
		return 0, context.Cause(ctx)
	case "kill":
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	}
	return 1, nil
})

// The lock of a job is free when the job has ended, however it has; the next
// holder is told who has left it.
func TestOwner_EndOfJobReleases(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	for _, how := range []string{"return", "error", "panic", "goexit", "cancel", "kill"} {
		lock, err := manager.NewLock(b.m, "lock "+how)
		if err != nil {
			t.Fatal(err)
		}
		held, err := manager.NewQueue[int](b.m, "held "+how, 1)
		if err != nil {
			t.Fatal(err)
		}
		f, err := pool.Submit(b.ctx, b.p, leave, leaving{lock, held, how})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := held.Get(b.ctx); err != nil {
			t.Fatal(err)
		}
		if how == "cancel" {
			f.Cancel()
		}
		abandoned(t, b.ctx, how, lock)
		<-f.Done()
	}
}

// And so is that of a process.
func TestOwner_EndOfProcessReleases(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m := manager.New()
	defer m.Close()
	for _, how := range []string{"return", "panic", "cancel", "kill"} {
		lock, err := manager.NewLock(m, "lock "+how)
		if err != nil {
			t.Fatal(err)
		}
		held, err := manager.NewQueue[int](m, "held "+how, 1)
		if err != nil {
			t.Fatal(err)
		}
		c := process.New(leave, leaving{lock, held, how}, process.WithManager(m), process.WithStderr(nil))
		if err := c.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := held.Get(ctx); err != nil {
			t.Fatal(err)
		}
		if how == "cancel" {
			if err := c.Interrupt(); err != nil {
				t.Fatal(err)
			}
		}
		abandoned(t, ctx, how, lock)
		<-c.Done()
	}
}

// abandoned acquires a lock that somebody has left.
func abandoned(t *testing.T, ctx context.Context, how string, lock *psync.Lock) {
	t.Helper()
	ctx, end := psync.WithOwner(ctx)
	defer end()
	got, err := lock.Acquire(ctx)
	if err != nil {
		t.Fatalf("%s: %v", how, err)
	}
	if got.Abandoned == nil {
		t.Fatalf("%s: nobody has left the lock", how)
	}
	if (got.Abandoned.Cause == nil) != (how == "return") || got.Abandoned.PID == 0 {
		t.Errorf("%s: left by %v with cause %v", how, got.Abandoned.Identity, got.Abandoned.Cause)
	}
	if err := got.Release(); err != nil {
		t.Errorf("%s: release: %v", how, err)
	}
}

// gather puts numbers, and ends at once.
var gather = task.Define("gather", func(ctx context.Context, n int) (int, error) {
	q, err := manager.Queue[int](ctx, "numbers")
	if err != nil {
		return 0, err
	}
	for i := range n {
		if err := q.Put(ctx, i); err != nil {
			return 0, err
		}
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
})

// What was put is put, even if its producer is killed at once.
func TestQueue_KeepsWhatADeadProducerHasPut(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m := manager.New()
	defer m.Close()
	q, err := manager.NewQueue[int](m, "numbers", 0)
	if err != nil {
		t.Fatal(err)
	}
	const n = 20_000
	c := process.New(gather, n, process.WithManager(m))
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if v, err := q.Get(ctx); v != i || err != nil {
			t.Fatalf("item %d: got %d, %v", i, v, err)
		}
	}
	<-c.Done()
	if n, err := q.Len(ctx); n != 0 || err != nil {
		t.Errorf("%d items are left, %v", n, err)
	}
}

// ask opens an object and says what came of it.
var ask = task.Define("ask", func(ctx context.Context, name string) (string, error) {
	_, err := manager.Lock(ctx, name)
	if err == nil {
		return worker.Name(), nil
	}
	return "", err
})

func TestOpen_WithoutManagerSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(ctx)
	if _, err := pool.Call(ctx, p, ask, "x"); !errors.Is(err, manager.ErrNoManager) {
		t.Errorf("pool: got %v, want ErrNoManager", err)
	}
	c := process.New(ask, "x")
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Result(ctx); !errors.Is(err, manager.ErrNoManager) {
		t.Errorf("process: got %v, want ErrNoManager", err)
	}
	if _, err := manager.Lock(ctx, "x"); !errors.Is(err, manager.ErrNoManager) {
		t.Errorf("supervisor: got %v, want ErrNoManager", err)
	}
}

// putOne puts one item, and asks for nothing after that.
var putOne = task.Define("putOne", func(ctx context.Context, q *queue.Queue[int]) (int, error) {
	return 0, q.Put(ctx, 1)
})

// An item that goes nowhere is never a success, though later ones have no answer.
func TestQueue_PutWithoutManagerSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m := manager.New()
	defer m.Close()
	q, err := manager.NewQueue[int](m, "numbers", 0)
	if err != nil {
		t.Fatal(err)
	}
	c := process.New(putOne, q) // process.WithManager(m) was forgotten
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = c.Result(ctx)
	if !errors.Is(err, manager.ErrNoManager) || !strings.Contains(err.Error(), "process.WithManager") {
		t.Errorf("got %v, want ErrNoManager and the way out", err)
	}
	other := manager.New()
	defer other.Close()
	c = process.New(putOne, q, process.WithManager(other))
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Result(ctx); !errors.Is(err, manager.ErrNoManager) {
		t.Errorf("another manager: got %v, want ErrNoManager", err)
	}
}

// What has an object of a manager that was closed hears of that, also where the
// manager was.
func TestManager_CloseRemovesObjectsHereToo(t *testing.T) {
	t.Parallel()
	ctx, end := psync.WithOwner(t.Context())
	defer end()
	m := manager.New()
	q, err := manager.NewQueue[int](m, "q", 0)
	if err != nil {
		t.Fatal(err)
	}
	l, err := manager.NewLock(m, "l")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := q.Put(ctx, 1); !errors.Is(err, manager.ErrRemoved) {
		t.Errorf("put: got %v, want ErrRemoved", err)
	}
	if _, err := q.Get(ctx); !errors.Is(err, manager.ErrRemoved) {
		t.Errorf("get: got %v, want ErrRemoved", err)
	}
	if _, err := l.Acquire(ctx); !errors.Is(err, manager.ErrRemoved) {
		t.Errorf("acquire: got %v, want ErrRemoved", err)
	}
}

// waitFor waits for an event that never comes.
var waitFor = task.Define("waitFor", func(ctx context.Context, e *psync.Event) (int, error) {
	return 0, e.Wait(ctx)
})

// A job that waits can be cancelled, and its call with it.
func TestWait_EndsWithItsJob(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	e, err := manager.NewEvent(b.m, "never")
	if err != nil {
		t.Fatal(err)
	}
	f, err := pool.Submit(b.ctx, b.p, waitFor, e, pool.WithTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	var late *pool.TimeoutError
	if _, err := f.Result(b.ctx); !errors.As(err, &late) {
		t.Errorf("got %v, want a timeout", err)
	}
	// The worker lives on, and its link.
	if name, err := pool.Call(b.ctx, b.p, ask, "none"); err == nil || !errors.Is(err, manager.ErrNotFound) {
		t.Errorf("got %q, %v, want ErrNotFound", name, err)
	}
}
