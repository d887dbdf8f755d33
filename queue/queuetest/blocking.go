package queuetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/queue"
)

// item is big enough to fill a pipe soon.
type item struct {
	Seq int
	Pad [1000]byte
}

// fill puts items 0, 1, … until there is no room, and returns how many.
func fill(b *bench, q *queue.Queue[item]) int {
	b.Helper()
	for n := range 1 << 16 {
		err := q.TryPut(b.ctx, item{Seq: n})
		if errors.Is(err, queue.ErrFull) {
			return n
		}
		if errors.Is(err, queue.ErrUnsupported) {
			b.Skip("the backend has no TryPut")
		}
		must(b, err)
	}
	b.Fatal("the queue never fills up")
	return 0
}

// expect gets items and wants them to be from, from+1, … up to to-1.
func expect(b *bench, q *queue.Queue[item], from, to int) {
	b.Helper()
	for seq := from; seq < to; seq++ {
		v, err := q.Get(b.ctx)
		must(b, err)
		if v.Seq != seq {
			b.Fatalf("got item %d, want %d", v.Seq, seq)
		}
	}
}

// expectNone wants the queue to be empty.
func expectNone(b *bench, q *queue.Queue[item]) {
	b.Helper()
	if v, err := q.TryGet(b.ctx); !errors.Is(err, queue.ErrEmpty) {
		b.Fatalf("TryGet = item %d, %v, want ErrEmpty", v.Seq, err)
	}
}

func tryGetEmpty(b *bench) {
	put, get := open[item](b, 4)
	_, err := get.TryGet(b.ctx)
	if errors.Is(err, queue.ErrUnsupported) {
		b.Skip("the backend has no TryGet")
	}
	if !errors.Is(err, queue.ErrEmpty) || !errors.Is(err, queue.ErrWouldBlock) {
		b.Fatalf("TryGet of an empty queue: %v", err)
	}
	must(b, put.Put(b.ctx, item{Seq: 7}))
	v, err := get.TryGet(b.ctx)
	must(b, err)
	if v.Seq != 7 {
		b.Errorf("got %d, want 7", v.Seq)
	}
	expectNone(b, get)
}

func tryPutFull(b *bench) {
	const size = 3
	put, get := open[item](b, size)
	n := fill(b, put)
	if b.Exact && n != size {
		b.Errorf("%d items fit, want %d", n, size)
	}
	err := put.TryPut(b.ctx, item{})
	if !errors.Is(err, queue.ErrFull) || !errors.Is(err, queue.ErrWouldBlock) {
		b.Fatalf("TryPut of a full queue: %v", err)
	}
	expect(b, get, 0, n)
	expectNone(b, get)
	must(b, put.TryPut(b.ctx, item{Seq: n}))
	expect(b, get, n, n+1)
}

func lenEmptyFull(b *bench) {
	put, get := open[item](b, 2)
	check := func(n int, empty, full bool) {
		b.Helper()
		gotN, err := get.Len(b.ctx)
		if errors.Is(err, queue.ErrUnsupported) && errors.Is(err, errors.ErrUnsupported) {
			for _, f := range []func(context.Context) (bool, error){get.Empty, get.Full} {
				if _, err := f(b.ctx); !errors.Is(err, queue.ErrUnsupported) {
					b.Errorf("Empty or Full is %v where Len is unsupported", err)
				}
			}
			return // all three say so
		}
		must(b, err)
		gotEmpty, err := get.Empty(b.ctx)
		must(b, err)
		gotFull, err := put.Full(b.ctx)
		must(b, err)
		if gotN != n || gotEmpty != empty || gotFull != full {
			b.Errorf("Len %d, Empty %v, Full %v; want %d, %v, %v", gotN, gotEmpty, gotFull, n, empty, full)
		}
	}
	check(0, true, false)
	must(b, put.Put(b.ctx, item{Seq: 0}))
	check(1, false, false)
	must(b, put.Put(b.ctx, item{Seq: 1}))
	check(2, false, true)
	expect(b, get, 0, 1)
	check(1, false, false)
	expect(b, get, 1, 2)
	check(0, true, false)
}

func putBlocksWhenFull(b *bench) {
	put, get := open[item](b, 3)
	n := fill(b, put)
	more := 3 * n // a pipe that gave room for one gives it for some
	putter := background(b, func() error {
		for i := range more {
			if err := put.Put(b.ctx, item{Seq: n + i}); err != nil {
				return err
			}
		}
		return nil
	})
	expect(b, get, 0, n+more)
	must(b, putter())
	expectNone(b, get)
}

func endedContext(b *bench) {
	put, get := open[item](b, 3)
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(b.ctx)
	cancel(reason)
	must(b, put.Put(b.ctx, item{Seq: 0}))
	errs := map[string]error{"Put": put.Put(ctx, item{}), "TryPut": put.TryPut(ctx, item{})}
	_, errs["Get"] = get.Get(ctx)
	_, errs["TryGet"] = get.TryGet(ctx)
	_, errs["Len"] = get.Len(ctx)
	_, errs["Empty"] = get.Empty(ctx)
	_, errs["Full"] = put.Full(ctx)
	for name, err := range errs {
		if errors.Is(err, queue.ErrUnsupported) {
			continue
		}
		if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
			b.Errorf("%s with an ended context: %v, want the context's error and its cause", name, err)
		}
	}
	expect(b, get, 0, 1)
}

func cancelledPut(b *bench) {
	put, get := open[item](b, 3)
	n := fill(b, put)
	// The second is refused while the first waits, the third after it.
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(b.ctx, 5*time.Millisecond)
			defer cancel()
			if err := put.Put(ctx, item{Seq: -1}); !errors.Is(err, context.DeadlineExceeded) {
				b.Errorf("Put into a full queue: %v, want DeadlineExceeded", err)
			}
		})
	}
	all.Wait()
	expect(b, get, 0, n)
	expectNone(b, get)
	must(b, put.Put(b.ctx, item{Seq: n}))
	expect(b, get, n, n+1)
}

func cancelledGet(b *bench) {
	put, get := open[item](b, 3)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(b.ctx, 5*time.Millisecond)
			defer cancel()
			if _, err := get.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
				b.Errorf("Get of an empty queue: %v, want DeadlineExceeded", err)
			}
		})
	}
	all.Wait()
	must(b, put.Put(b.ctx, item{Seq: 0}))
	must(b, put.Put(b.ctx, item{Seq: 1}))
	expect(b, get, 0, 2)
}

// cancelRace puts and gets with contexts that end at about the moment of the
// grant: an item must come out if, and only if, its Put succeeded.
func cancelRace(b *bench) {
	const putters, getters, each = 4, 4, 300
	put, get := open[piece](b, 2)
	var putDone, getDone sync.WaitGroup
	var mu sync.Mutex
	granted, seen := map[[2]int]bool{}, map[[2]int]int{}
	var gave atomic.Int64
	for id := range putters {
		putDone.Go(func() {
			for seq := range each {
				ctx, cancel := context.WithTimeout(b.ctx, time.Duration(seq%50)*time.Microsecond)
				err := put.Put(ctx, piece{id, seq, make([]byte, 2000)})
				cancel()
				if err == nil {
					mu.Lock()
					granted[[2]int{id, seq}] = true
					mu.Unlock()
				} else if gave.Add(1); !errors.Is(err, context.DeadlineExceeded) {
					b.Errorf("Put: %v", err)
				}
			}
		})
	}
	for range getters {
		getDone.Go(func() {
			for turn := 0; ; turn++ {
				ctx, cancel := context.WithTimeout(b.ctx, time.Duration(turn%70)*time.Microsecond)
				v, err := get.Get(ctx)
				cancel()
				switch {
				case err == nil:
					mu.Lock()
					seen[[2]int{v.Producer, v.Seq}]++
					mu.Unlock()
				case errors.Is(err, queue.ErrClosed):
					return
				case !errors.Is(err, context.DeadlineExceeded) || b.ctx.Err() != nil:
					b.Errorf("Get: %v", err)
					return
				}
			}
		})
	}
	putDone.Wait()
	must(b, put.Flush(b.ctx))
	must(b, put.Close())
	getDone.Wait()
	if len(seen) != len(granted) {
		b.Errorf("%d items were put, %d came (%d puts gave up)", len(granted), len(seen), gave.Load())
	}
	for id, n := range seen {
		if n != 1 || !granted[id] {
			b.Errorf("item %v came %d times, put = %v", id, n, granted[id])
		}
	}
}
