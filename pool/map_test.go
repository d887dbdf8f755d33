//go:build unix

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// deed is what an item of the tests does in its worker.
type deed struct {
	Do string
	N  int
}

var (
	act = task.Define("act", func(ctx context.Context, d deed) (int, error) {
		switch d.Do {
		case "":
		case "error":
			return 0, fmt.Errorf("item %d: %w", d.N, errSentinel)
		case "panic":
			panic(fmt.Sprint("item ", d.N))
		case "goexit":
			runtime.Goexit()
		case "exit":
			os.Exit(d.N)
		case "kill":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "nap":
			select {
			case <-time.After(time.Duration(d.N) * time.Millisecond):
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		case "once": // fails at the first attempt
			if job, _ := worker.Current(ctx); job.Attempt == 1 {
				return 0, errSentinel
			}
		case "kill once":
			if job, _ := worker.Current(ctx); job.Attempt == 1 {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		case "attempt":
			job, _ := worker.Current(ctx)
			return job.Attempt, nil
		}
		return d.N, nil
	})
	grow  = task.Define("grow", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })
	fussy = task.Define("fussy", func(_ context.Context, f fuss) (fuss, error) { return f, nil })
)

// fuss is a type whose own methods refuse some values, and panic for others.
type fuss struct{ N int }

func (f fuss) EncodeMsgpack(e *msgpack.Encoder) error {
	switch f.N % 100 {
	case 11:
		return errSentinel
	case 12:
		panic("encoding 12")
	}
	return e.EncodeInt(int64(f.N))
}

func (f *fuss) DecodeMsgpack(d *msgpack.Decoder) error {
	n, err := d.DecodeInt()
	f.N = n
	if !inWorker { // there it is an argument
		switch n % 100 {
		case 21:
			return errSentinel
		case 22:
			panic("decoding 22")
		}
	}
	return err
}

// inWorker tells the two sides of a type apart.
var inWorker = boot.Role == boot.Worker

func deeds(n int, special map[int]deed) iter.Seq[deed] {
	return func(yield func(deed) bool) {
		for i := range n {
			d, ok := special[i]
			if !ok {
				d = deed{N: i}
			}
			if !yield(d) {
				return
			}
		}
	}
}

func TestMap_HandsOverInTheOrderOfTheInput(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 3})
	for _, opts := range [][]pool.Option{nil, {pool.Chunk(1)}, {pool.Chunk(7)}, {pool.Buffer(0)}, {pool.Buffer(10), pool.Chunk(100)}, {pool.Chunk(1000)}} {
		for _, n := range []int{0, 1, 2, 1000, 50_000} {
			if n > 1000 && len(opts) > 0 {
				continue
			}
			next := 0
			for out, err := range pool.Map(b.ctx, b.Pool, noop, upTo(n), opts...) {
				if err != nil || out != next {
					t.Fatalf("item %d of %d: %d, %v", next, n, out, err)
				}
				next++
			}
			if next != n {
				t.Fatalf("%d items, want %d", next, n)
			}
		}
	}
}

func TestMap_CanBeLoopedOverAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	squares := pool.Map(b.ctx, b.Pool, noop, upTo(100))
	for range 3 {
		n := 0
		for out, err := range squares {
			if err != nil || out != n {
				t.Fatal(out, err)
			}
			if n++; n == 70 {
				break
			}
		}
	}
}

func TestUnordered_SaysWhichItemItIs(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 3})
	const n = 5000
	seen := make([]bool, n)
	for item := range pool.Unordered(b.ctx, b.Pool, act, deeds(n, map[int]deed{7: {"error", 7}, 4000: {"kill", 4000}})) {
		if item.Index < 0 || seen[item.Index] || item.In.N != item.Index {
			t.Fatalf("got %+v", item)
		}
		seen[item.Index] = true
		switch item.Index {
		case 7, 4000:
			if item.Err == nil {
				t.Errorf("item %d has not failed", item.Index)
			}
		default:
			if item.Err != nil || item.Out != item.Index {
				t.Fatalf("got %+v", item)
			}
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		t.Fatalf("no item %d", i)
	}
}

func TestUnordered_SlowItemDelaysNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	var order []int
	for item := range pool.Unordered(b.ctx, b.Pool, act, deeds(20, map[int]deed{0: {"nap", 500}}), pool.Chunk(1)) {
		order = append(order, item.Index)
	}
	if len(order) != 20 || order[19] != 0 {
		t.Fatalf("got %v", order)
	}
}

func TestMap_KeepsToItsBuffer(t *testing.T) {
	t.Parallel()
	const buffer = 8
	for _, workers := range []int{1, 2, 3} {
		b := setup(t, pool.Config{Workers: workers})
		for _, chunk := range []int{0, 1, 100} {
			// The one that a generator has made when it is asked for the next is counted,
			// so it is exact; and it is looked at whenever there is one more.
			var produced, done, most atomic.Int64
			alive := func() int64 { return produced.Load() - done.Load() }
			endless := func(yield func(int) bool) {
				for n := int64(0); ; n++ {
					produced.Add(1)
					most.Store(max(most.Load(), alive()))
					if !yield(int(n)) {
						return
					}
				}
			}
			for out, err := range pool.Map(b.ctx, b.Pool, noop, endless, pool.Buffer(buffer), pool.Chunk(chunk)) {
				if err != nil || int64(out) != done.Load() {
					t.Fatal(out, err)
				}
				if out == 500 { // and all of the room is used
					for deadline := time.Now().Add(20 * time.Second); alive() < int64(buffer+workers); time.Sleep(time.Millisecond) {
						if time.Now().After(deadline) {
							t.Fatalf("%d workers, chunk %d: only %d items are alive", workers, chunk, alive())
						}
					}
					time.Sleep(20 * time.Millisecond)
				}
				if done.Add(1) == 2000 {
					break
				}
			}
			if n := most.Load(); n > int64(buffer+workers) {
				t.Errorf("%d workers, chunk %d: %d items were alive", workers, chunk, n)
			}
		}
	}
}

func TestMap_DefaultBufferIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	var produced atomic.Int64
	endless := func(yield func(int) bool) {
		for yield(int(produced.Add(1)) - 1) {
		}
	}
	done := 0
	for range pool.Map(b.ctx, b.Pool, noop, endless) {
		if alive := int(produced.Load()) - done; alive > 2*32768 {
			t.Fatalf("%d items are alive", alive)
		}
		if done++; done == 200_000 {
			time.Sleep(50 * time.Millisecond)
		}
		if done == 300_000 {
			break
		}
	}
}

func TestMap_StartsNothingBeforeTheLoop(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	asked := false
	results := pool.Map(b.ctx, b.Pool, noop, func(func(int) bool) { asked = true })
	time.Sleep(10 * time.Millisecond)
	if asked || len(b.workers()) > 0 {
		t.Fatal("the input was asked")
	}
	for range results {
	}
	if !asked {
		t.Fatal("the input was not asked")
	}
}

// workers returns what was told of workers so far.
func (b *bundle) workers() []pool.WorkerEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

func TestMap_BlockingInputHoldsNoResultBack(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	got, stop := make(chan int), make(chan struct{})
	ended := make(chan struct{})
	in := func(yield func(int) bool) {
		defer close(ended)
		for i := range 1000 {
			if !yield(i) {
				return
			}
		}
		for i := 1000; i < 1005; i++ { // the next only when this one has come
			if !yield(i) {
				return
			}
			for v := range got {
				if v == i {
					break
				}
			}
		}
		<-stop
	}
	n := 0
	for out, err := range pool.Map(b.ctx, b.Pool, noop, in) {
		if err != nil || out != n {
			t.Fatal(out, err)
		}
		n++
		if out >= 1000 {
			got <- out
		}
		if n == 1005 {
			break // which does not wait for the input
		}
	}
	select {
	case <-ended:
		t.Fatal("the input has not blocked")
	default:
	}
	close(stop)
	<-ended
}

func TestMap_BreakTellsTheInput(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	ended := make(chan struct{})
	in := func(yield func(deed) bool) {
		defer close(ended)
		for yield(deed{"nap", 20}) {
		}
	}
	for _, err := range pool.Map(b.ctx, b.Pool, act, in) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	<-ended
	if _, err := pool.Call(b.ctx, b.Pool, noop, 1); err != nil {
		t.Fatal(err)
	}
}

func TestMap_LoopThatPanicsCancels(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	begin := time.Now()
	func() {
		defer func() {
			if v := recover(); v != "loop" {
				t.Errorf("got %v", v)
			}
		}()
		for range pool.Map(b.ctx, b.Pool, act, deeds(10, map[int]deed{1: {"nap", 60_000}})) {
			panic("loop")
		}
	}()
	if err := b.Close(); err != nil { // waits for jobs
		t.Error(err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestMap_EndOfContextEndsTheLoop(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	for _, blocking := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(b.ctx)
		defer cancel(nil)
		stop := make(chan struct{})
		in := func(yield func(deed) bool) {
			for i := range 10 {
				if !yield(deed{N: i}) {
					return
				}
			}
			if blocking {
				<-stop
				return
			}
			for yield(deed{"nap", 60_000}) {
			}
		}
		var errs []error
		n := 0
		for _, err := range pool.Map(ctx, b.Pool, act, in, pool.Chunk(1)) {
			if n++; n == 10 {
				time.AfterFunc(20*time.Millisecond, func() { cancel(errSentinel) })
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
		if len(errs) != 1 || errs[0] != errSentinel || n != 11 {
			t.Fatalf("got %v after %d items", errs, n)
		}
		for _, err := range pool.Map(ctx, b.Pool, act, in) { // it has ended already
			if err != errSentinel {
				t.Fatal(err)
			}
		}
		close(stop)
	}
}

func TestMap_ClosedPoolEndsTheLoop(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range pool.Map(b.ctx, b.Pool, noop, upTo(10)) {
		if n++; !errors.Is(err, pool.ErrClosed) {
			t.Fatalf("got %v", err)
		}
	}
	for item := range pool.Unordered(b.ctx, b.Pool, noop, upTo(10)) {
		if n++; item.Index != -1 || !errors.Is(item.Err, pool.ErrClosed) {
			t.Fatalf("got %+v", item)
		}
	}
	if n != 2 {
		t.Fatalf("%d errors", n)
	}
}

func TestMap_InputThatPanicsPanicsInTheLoop(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	in := func(yield func(int) bool) {
		for i := range 100 {
			yield(i)
		}
		panic(errSentinel)
	}
	n := 0
	defer func() {
		err, _ := recover().(error)
		if !errors.Is(err, errSentinel) || !strings.Contains(err.Error(), "map_test.go") || n != 100 {
			t.Errorf("after %d items: %v", n, err)
		}
	}()
	for out, err := range pool.Map(b.ctx, b.Pool, noop, in) {
		if err != nil || out != n {
			t.Fatal(out, err)
		}
		n++
	}
	t.Error("the loop has ended")
}

func TestMap_InputThatExitsEndsTheLoopsGoroutine(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	var wait sync.WaitGroup
	wait.Add(1)
	go func() {
		defer wait.Done()
		for range pool.Map(b.ctx, b.Pool, noop, func(yield func(int) bool) { runtime.Goexit() }) {
		}
		t.Error("the loop has ended, and its goroutine has not")
	}()
	wait.Wait()
}
