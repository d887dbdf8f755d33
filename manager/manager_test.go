package manager_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

// here starts a manager, and a context of the supervisor that opens its objects.
func here(t *testing.T, opts ...manager.Option) (context.Context, *manager.Manager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	m := manager.New(opts...)
	t.Cleanup(func() {
		m.Close()
		cancel()
	})
	return manager.With(ctx, m), m
}

func TestOpen_OfAnotherKindTypeOrSizeIsErrMismatch(t *testing.T) {
	t.Parallel()
	ctx, m := here(t)
	if _, err := manager.NewQueue[int](m, "q", 3); err != nil {
		t.Fatal(err)
	}
	if _, err := manager.NewSemaphore(m, "s", 2); err != nil {
		t.Fatal(err)
	}
	if _, err := manager.Queue[int](ctx, "q"); err != nil {
		t.Errorf("as it is: %v", err)
	}
	if _, err := manager.Queue[int](ctx, "q", manager.Sized(3)); err != nil {
		t.Errorf("as it is, with its size: %v", err)
	}
	for what, open := range map[string]func() error{
		"type":   func() error { _, err := manager.Queue[string](ctx, "q"); return err },
		"size":   func() error { _, err := manager.Queue[int](ctx, "q", manager.Sized(4)); return err },
		"kind":   func() error { _, err := manager.Joinable[int](ctx, "q"); return err },
		"lock":   func() error { _, err := manager.Lock(ctx, "q"); return err },
		"bound":  func() error { _, err := manager.BoundedSemaphore(ctx, "s"); return err },
		"permit": func() error { _, err := manager.Semaphore(ctx, "s", manager.Sized(1)); return err },
	} {
		if err := open(); !errors.Is(err, manager.ErrMismatch) {
			t.Errorf("%s: got %v, want ErrMismatch", what, err)
		}
	}
	if _, err := manager.NewLock(m, "q"); !errors.Is(err, manager.ErrExists) {
		t.Errorf("a second q: got %v, want ErrExists", err)
	}
	for _, name := range []string{"", "\xff", strings.Repeat("x", ipc.MaxName+1)} {
		if _, err := manager.NewLock(m, name); err == nil {
			t.Errorf("a lock could be called %.10q", name)
		}
	}
}

func TestOpen_NamesWhatMayHaveBeenMeant(t *testing.T) {
	t.Parallel()
	ctx, m := here(t)
	if _, err := manager.Lock(ctx, "db"); !errors.Is(err, manager.ErrNotFound) {
		t.Errorf("of nothing: %v", err)
	}
	for i := range 25 {
		if _, err := manager.NewEvent(m, fmt.Sprintf("event-%02d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := manager.NewLock(m, "database"); err != nil {
		t.Fatal(err)
	}
	_, err := manager.Lock(ctx, "databse")
	if !errors.Is(err, manager.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
	for _, part := range []string{`lock "databse"`, `did you mean "database"?`, `"event-00" (event)`, "more"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if _, err := manager.NewLock(m, "db"); err != nil {
		t.Fatal(err)
	}
	if _, err := manager.Lock(ctx, "bd"); err == nil || !strings.Contains(err.Error(), `did you mean "db"?`) {
		t.Errorf("two letters that are swapped: %v", err)
	}
	if _, err := manager.Lock(ctx, "quite another"); err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("guessed too much: %v", err)
	}
}

func TestLax_MakesWhatIsOpened(t *testing.T) {
	t.Parallel()
	ctx, m := here(t, manager.Lax(manager.KindQueue, manager.KindNumber, manager.KindArray, manager.KindCondition))
	q, err := manager.Queue[int](ctx, "q", manager.Sized(2))
	if err != nil {
		t.Fatal(err)
	}
	again, err := manager.Queue[int](ctx, "q", manager.Sized(2))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Put(ctx, 7); err != nil {
		t.Fatal(err)
	}
	if v, err := again.Get(ctx); v != 7 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
	n, err := manager.Number[int](ctx, "n")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := n.Add(ctx, 3); v != 3 || err != nil {
		t.Errorf("number is %d, %v", v, err)
	}
	if a, err := manager.Array[string](ctx, "a", manager.Sized(3)); err != nil {
		t.Error(err)
	} else if n, err := a.Len(ctx); n != 3 || err != nil {
		t.Errorf("array of %d, %v", n, err)
	}
	if _, err := manager.Condition(ctx, "c"); err != nil {
		t.Error(err)
	}
	if _, err := manager.Lock(ctx, "l"); !errors.Is(err, manager.ErrNotFound) {
		t.Errorf("lock: got %v, want ErrNotFound", err)
	}
	if want := []string{"a", "c", "n", "q"}; !slices.Equal(m.Names(), want) {
		t.Errorf("names %q, want %q", m.Names(), want)
	}
}

// Workers ask for names: what they ask for is bounded, and what it costs to say no.
func TestLax_MakesNoMoreThanItSays(t *testing.T) {
	t.Parallel()
	ctx, m := here(t, manager.Lax(manager.KindEvent))
	for i := range 1 << 16 {
		if _, err := manager.Event(ctx, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := manager.Event(ctx, "one more"); !errors.Is(err, manager.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := manager.Lock(ctx, "lock"); !errors.Is(err, manager.ErrNotFound) || len(err.Error()) > 200 {
		t.Errorf("got %v, want a short ErrNotFound", err)
	}
	if _, err := manager.NewEvent(m, "by hand"); err != nil {
		t.Errorf("made by hand: %v", err)
	}
}

// drain gets from a queue until it cannot.
var drain = task.Define("drain", func(ctx context.Context, q *queue.Queue[int]) (int, error) {
	for n := 0; ; n++ {
		if _, err := q.Get(ctx); err != nil {
			return n, err
		}
	}
})

func TestRemove_WakesAllWhoWait(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	q, err := manager.NewQueue[int](b.m, "q", 1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := manager.NewEvent(b.m, "e")
	if err != nil {
		t.Fatal(err)
	}
	f, err := pool.Submit(b.ctx, b.p, drain, q)
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan error)
	go func() { waits <- e.Wait(b.ctx) }()
	// Once the second item fits, the worker has begun.
	for i := range 2 {
		if err := q.Put(b.ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.m.Remove("q"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Result(b.ctx); !errors.Is(err, manager.ErrRemoved) {
		t.Errorf("worker: got %v, want ErrRemoved", err)
	}
	if err := q.Put(b.ctx, 1); !errors.Is(err, manager.ErrRemoved) {
		t.Errorf("put: got %v, want ErrRemoved", err)
	}
	if err := b.m.Remove("q"); !errors.Is(err, manager.ErrNotFound) {
		t.Errorf("removed twice: got %v, want ErrNotFound", err)
	}
	if _, err := manager.NewQueue[string](b.m, "q", 5); err != nil {
		t.Errorf("the name is not free: %v", err)
	}
	b.m.Close()
	if err := <-waits; !errors.Is(err, manager.ErrRemoved) {
		t.Errorf("wait: got %v, want ErrRemoved", err)
	}
	if _, err := manager.NewLock(b.m, "late"); !errors.Is(err, manager.ErrRemoved) {
		t.Errorf("made after Close: %v", err)
	}
}

// An object of another manager, or of none, does not travel as if it were ours.
func TestReferences_AreOfSharedObjectsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	if _, err := pool.Submit(b.ctx, b.p, drain, queue.New[int](1)); !errors.Is(err, manager.ErrNotShared) {
		t.Errorf("queue in memory: got %v, want ErrNotShared", err)
	}
	other := manager.New()
	defer other.Close()
	q, err := manager.NewQueue[int](other, "q", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Call(b.ctx, b.p, drain, q); !errors.Is(err, manager.ErrNoManager) {
		t.Errorf("queue of another manager: got %v, want ErrNoManager", err)
	}
	lock, err := manager.NewLock(other, "l")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manager.NewCondition(b.m, "c", lock); !errors.Is(err, manager.ErrNotShared) {
		t.Errorf("condition with another manager's lock: got %v, want ErrNotShared", err)
	}
}

// Conditions may share a lock of their manager.
func TestCondition_HasTheLockItWasGiven(t *testing.T) {
	t.Parallel()
	ctx, m := here(t)
	ctx, end := psync.WithOwner(ctx)
	defer end()
	lock, err := manager.NewLock(m, "l")
	if err != nil {
		t.Fatal(err)
	}
	full, err := manager.NewCondition(m, "full", lock)
	if err != nil {
		t.Fatal(err)
	}
	empty, err := manager.NewCondition(m, "empty", lock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := full.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	if err := empty.Notify(ctx, 1); err != nil {
		t.Errorf("the lock of both is held: %v", err)
	}
	if err := lock.Release(ctx); err != nil {
		t.Errorf("release: %v", err)
	}
}

func TestManager_OfAThousandObjectsIsSmall(t *testing.T) {
	before := heap()
	m := manager.New(manager.Lax())
	defer m.Close()
	ctx := manager.With(context.Background(), m)
	for i := range 200 {
		for _, err := range []error{
			of(manager.Queue[int](ctx, fmt.Sprint("queue ", i))),
			of(manager.Lock(ctx, fmt.Sprint("lock ", i))),
			of(manager.Condition(ctx, fmt.Sprint("condition ", i))),
			of(manager.Value[int](ctx, fmt.Sprint("value ", i))),
			of(manager.Semaphore(ctx, fmt.Sprint("semaphore ", i))),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if grown := heap() - before; grown > 10<<20 {
		t.Errorf("1,000 objects take %d bytes", grown)
	}
	runtime.KeepAlive(m)
}

func of[T any](_ T, err error) error { return err }

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// sink gets items of any size, and says how long they were.
var sink = task.Define("sink", func(ctx context.Context, q *queue.Queue[[]byte]) ([]int, error) {
	var sizes []int
	for item, err := range q.All(ctx) {
		if err != nil {
			return sizes, err
		}
		if !bytes.Equal(item, bytes.Repeat([]byte{byte(len(sizes))}, len(item))) {
			return sizes, fmt.Errorf("item %d is not what was put", len(sizes))
		}
		sizes = append(sizes, len(item))
	}
	return sizes, nil
})

// source puts items.
var source = task.Define("source", func(ctx context.Context, sizes []int) (int, error) {
	q, err := manager.Queue[[]byte](ctx, "pipe")
	if err != nil {
		return 0, err
	}
	for i, n := range sizes {
		if err := q.Put(ctx, bytes.Repeat([]byte{byte(i)}, n)); err != nil {
			return i, err
		}
	}
	return len(sizes), q.Close()
})

// Items of all sizes go from a worker to another, through bounded and unbounded
// queues.
func TestQueue_CarriesItemsOfAnySize(t *testing.T) {
	t.Parallel()
	for _, bound := range []int{0, 2} {
		b := setup(t, 2)
		q, err := manager.NewQueue[[]byte](b.m, "pipe", bound)
		if err != nil {
			t.Fatal(err)
		}
		sizes := []int{0, 1, 100, ipc.MaxInline - 20, ipc.MaxInline + 1, 1 << 20, 3, 9 << 20, 5}
		got, err := pool.Submit(b.ctx, b.p, sink, q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Call(b.ctx, b.p, source, sizes); err != nil {
			t.Fatal(err)
		}
		if all, err := got.Result(b.ctx); err != nil || !slices.Equal(all, sizes) {
			t.Errorf("bound %d: got %v, %v", bound, all, err)
		}
	}
}

// manyCalls has many goroutines call at once, some of which wait for others.
var manyCalls = task.Define("manyCalls", func(ctx context.Context, n int) (int, error) {
	start, err := manager.Event(ctx, "start")
	if err != nil {
		return 0, err
	}
	count, err := manager.Number[int](ctx, "count")
	if err != nil {
		return 0, err
	}
	errs := make(chan error)
	for range n {
		go func() {
			err := start.Wait(ctx)
			if err == nil {
				_, err = count.Add(ctx, 1)
			}
			errs <- err
		}()
	}
	if err := start.Set(ctx); err != nil {
		return 0, err
	}
	for range n {
		if err := <-errs; err != nil {
			return 0, err
		}
	}
	return count.Load(ctx)
})

func TestCalls_OfOneWorkerDoNotDelayEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t, 1, manager.Lax())
	if n, err := pool.Call(b.ctx, b.p, manyCalls, 3000); n != 3000 || err != nil {
		t.Errorf("counted to %d, %v", n, err)
	}
}

// A manager's objects are reached from threads of a worker too, and from
// goroutines that know of no context.
var contextless = task.Define("contextless", func(ctx context.Context, lock *psync.Lock) (string, error) {
	own, end := psync.WithOwner(context.Background(), psync.Named("helper"))
	defer end()
	held, err := lock.Acquire(own)
	if err != nil {
		return "", err
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := lock.Acquire(short); !errors.Is(err, context.DeadlineExceeded) {
		return "", fmt.Errorf("the job could take what its helper holds: %w", err)
	}
	return "held", held.Release()
})

func TestOwners_OfOneJobAreTheirOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	lock, err := manager.NewLock(b.m, "l")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, err := pool.Call(b.ctx, b.p, contextless, lock); got != "held" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}
