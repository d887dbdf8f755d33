package queuetest

import (
	"errors"
	"slices"
	"sync"

	"github.com/feac4032/multiproc/queue"
)

func closeDrains(b *bench) {
	put, get := open[item](b, 3)
	must(b, put.Put(b.ctx, item{Seq: 0}))
	must(b, put.Put(b.ctx, item{Seq: 1}))
	must(b, put.Close())
	must(b, put.Close())
	if err := put.Put(b.ctx, item{}); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Put after Close: %v", err)
	}
	if err := put.TryPut(b.ctx, item{}); !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrUnsupported) {
		b.Errorf("TryPut after Close: %v", err)
	}
	expect(b, get, 0, 2)
	for range 2 {
		if _, err := get.Get(b.ctx); !errors.Is(err, queue.ErrClosed) {
			b.Errorf("Get of a closed and drained queue: %v", err)
		}
	}
	if _, err := get.TryGet(b.ctx); !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrUnsupported) {
		b.Errorf("TryGet of a closed and drained queue: %v", err)
	}
}

func closeWakesPutters(b *bench) {
	put, get := open[item](b, 3)
	n := fill(b, put)
	var blocked []func() error
	for range 3 {
		blocked = append(blocked, background(b, func() error { return put.Put(b.ctx, item{Seq: -1}) }))
	}
	must(b, put.Close())
	for _, end := range blocked {
		if err := end(); !errors.Is(err, queue.ErrClosed) {
			b.Errorf("Put that waited while the queue was closed: %v", err)
		}
	}
	expect(b, get, 0, n)
	if _, err := get.Get(b.ctx); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Get after the last item: %v", err)
	}
}

func shutdownWakesAll(b *bench) {
	full, other := open[item](b, 3)
	fill(b, full)
	_, empty := open[item](b, 3)
	var blocked []func() error
	for range 3 {
		blocked = append(blocked,
			background(b, func() error { return full.Put(b.ctx, item{}) }),
			background(b, func() error { _, err := empty.Get(b.ctx); return err }))
	}
	for range 2 {
		must(b, full.Shutdown())
		must(b, other.Shutdown())
		must(b, empty.Shutdown())
	}
	for _, end := range blocked {
		if err := end(); !errors.Is(err, queue.ErrClosed) {
			b.Errorf("call that waited at Shutdown: %v", err)
		}
	}
	if _, err := other.Get(b.ctx); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Get after Shutdown: %v, want the items to be dropped", err)
	}
	if err := full.Put(b.ctx, item{}); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Put after Shutdown: %v", err)
	}
}

func allUntilClosed(b *bench) {
	put, get := open[int](b, 2)
	const count = 100
	var got []int
	var getter sync.WaitGroup
	getter.Go(func() {
		for v, err := range get.All(b.ctx) {
			if err != nil {
				b.Error(err)
				return
			}
			got = append(got, v)
		}
	})
	for i := range count {
		must(b, put.Put(b.ctx, i))
	}
	must(b, put.Close())
	getter.Wait()
	if len(got) != count || !slices.IsSorted(got) {
		b.Errorf("got %v", got)
	}
}

func leavingAll(b *bench) {
	put, get := open[item](b, 8)
	for i := range 3 {
		must(b, put.Put(b.ctx, item{Seq: i}))
	}
	for v, err := range get.All(b.ctx) {
		must(b, err)
		if v.Seq == 0 {
			break
		}
	}
	expect(b, get, 1, 3)
}
