package pool_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// previous returns the argument of the call before, which the worker has kept.
var previous = func() task.Task[[]byte, []byte] {
	var kept []byte
	return task.Define("previous", func(_ context.Context, b []byte) ([]byte, error) {
		before := kept
		kept = b
		return before, nil
	})
}()

// No later payload is written where a task has its argument, or a caller its
// result.
func TestCall_LongBytesAreWhoseTheyWereGivenTo(t *testing.T) {
	t.Parallel()
	p, err := pool.New(context.Background(), pool.Config{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	letter := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 1<<20) }
	var results [][]byte
	for i := range 12 {
		arg := letter(i)
		out, err := pool.Call(context.Background(), p, previous, arg)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(arg, letter(i)) {
			t.Fatalf("argument %d was written to", i)
		}
		results = append(results, out)
	}
	for i, out := range results[1:] {
		if !bytes.Equal(out, letter(i)) {
			t.Errorf("call %d has got %.1q… of %d bytes", i+1, out, len(out))
		}
	}
}

// Workers are killed while large arguments and results, and small ones between
// them, are under way. What comes back is whole and right, or lost with its worker.
func TestKill_InTheMiddleOfLargeResults(t *testing.T) {
	t.Parallel()
	gated(t)
	var mu sync.Mutex
	var alive []int
	p, err := pool.New(context.Background(), pool.Config{Workers: 2, Restarts: 1000, OnWorker: func(e pool.WorkerEvent) {
		mu.Lock()
		defer mu.Unlock()
		for i, pid := range alive {
			if pid == e.PID {
				alive = append(alive[:i], alive[i+1:]...)
				break
			}
		}
		if e.Kind == pool.WorkerReady {
			alive = append(alive, e.PID)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	stop := make(chan struct{})
	time.AfterFunc(2*time.Second, func() { close(stop) })
	going := func() bool {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	var ok, lost atomic.Int64
	var callers sync.WaitGroup
	for n := range 4 {
		callers.Go(func() {
			large := bytes.Repeat([]byte{byte('a' + n)}, 300_000+n*400_000)
			for going() {
				in := large
				if n == 0 {
					in = large[:64]
				}
				out, err := pool.Call(context.Background(), p, echo, in)
				var gone *pool.WorkerLostError
				switch {
				case err == nil && bytes.Equal(in, out):
					ok.Add(1)
				case errors.As(err, &gone):
					lost.Add(1)
				default:
					t.Errorf("%d bytes of %d, %v", len(out), len(in), err)
					return
				}
			}
		})
	}
	callers.Go(func() {
		for going() {
			time.Sleep(rand.N(30 * time.Millisecond))
			mu.Lock()
			if len(alive) > 0 && alive[0] != os.Getpid() {
				syscall.Kill(alive[0], syscall.SIGKILL)
			}
			mu.Unlock()
		}
	})
	callers.Wait()
	t.Logf("%d came back, %d were lost", ok.Load(), lost.Load())
	if ok.Load() == 0 {
		t.Error("nothing came back")
	}
}

// Arguments and results of all lengths around what a frame and an arena hold come
// back as they were, several of them at a time through one worker, too.
func TestCall_PayloadsOfAllLengths(t *testing.T) {
	t.Parallel()
	gated(t)
	p, err := pool.New(context.Background(), pool.Config{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var callers sync.WaitGroup
	for n, size := range []int{
		ipc.MaxInline - 6, ipc.MaxInline - 5, ipc.MaxInline, ipc.MaxInline + 1, 300_000, 1 << 20, ipc.ArenaHalf - 5, ipc.ArenaHalf,
		ipc.ArenaHalf + 1, 3*ipc.ArenaHalf + 7, ipc.DefaultCredit + 1, 40 << 20,
	} {
		callers.Go(func() {
			in := bytes.Repeat([]byte{byte(n + 1)}, size)
			for i := range in[:size/4096] {
				in[i*4096] = byte(i)
			}
			for range 3 {
				out, err := pool.Call(context.Background(), p, echo, in)
				if err != nil || !bytes.Equal(in, out) {
					t.Errorf("%d bytes of %d, %v", len(out), len(in), err)
				}
			}
		})
	}
	callers.Wait()
	if n := p.Placed(); n < 10<<20 {
		t.Errorf("%d bytes went through the arena", n)
	}
}

// Memory is shared with workers at every level of isolation, and with none whose own
// memory is bounded or measured.
func TestCall_WhoHasAnArena(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		program pool.Program
		opts    []pool.Option
		has     bool
	}{
		"a worker":               {has: true},
		"one in namespaces":      {has: true, opts: []pool.Option{pool.WithIsolation(pool.Namespaces)}},
		"one in a sandbox":       {has: true, opts: []pool.Option{pool.WithIsolation(pool.Sandbox)}},
		"one of limited time":    {has: true, opts: []pool.Option{pool.WithLimits(pool.Limits{CPU: time.Minute})}},
		"one of limited memory":  {opts: []pool.Option{pool.WithLimits(pool.Limits{Memory: 1 << 30})}},
		"one of measured memory": {program: pool.Program{MaxMemory: 1 << 30}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gated(t)
			b := setup(t, pool.Config{Workers: 1, Program: c.program})
			in := bytes.Repeat([]byte("large"), 100_000)
			out, err := pool.Call(b.ctx, b.Pool, echo, in, c.opts...)
			if errors.Is(err, pool.ErrConfine) {
				t.Skip(err)
			}
			if err != nil || !bytes.Equal(in, out) {
				t.Fatalf("%d bytes of %d, %v", len(out), len(in), err)
			}
			if has := b.Placed() > 0; has != c.has {
				t.Errorf("arena: %v, want %v", has, c.has)
			}
		})
	}
}
