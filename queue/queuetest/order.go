package queuetest

import (
	"context"
	"errors"
	"testing/synctest"
	"time"
)

// gettersInOrder has one of the waiting getters leave, and wants the others
// served in the order in which they came.
func gettersInOrder(b *bench) {
	put, get := open[int](b, 0)
	const getters, leaver = 5, 2
	order := make(chan [2]int, getters)
	ctx, cancel := context.WithCancel(b.ctx)
	for id := range getters {
		go func() {
			mine := b.ctx
			if id == leaver {
				mine = ctx
			}
			v, err := get.Get(mine)
			if err != nil {
				v = -1
			}
			order <- [2]int{id, v}
		}()
		synctest.Wait()
	}
	cancel()
	if got := <-order; got != [2]int{leaver, -1} {
		b.Fatalf("getter %d got %d, want %d to leave with an error", got[0], got[1], leaver)
	}
	for next, id := range []int{0, 1, 3, 4} {
		must(b, put.Put(b.ctx, next))
		if got := <-order; got != [2]int{id, next} {
			b.Errorf("getter %d got item %d, want %d to get %d", got[0], got[1], id, next)
		}
	}
}

func puttersInOrder(b *bench) {
	put, get := open[item](b, 2)
	n := fill(b, put)
	const putters, leaver = 5, 2
	left := make(chan error, 1)
	ctx, cancel := context.WithCancel(b.ctx)
	for id := range putters {
		go func() {
			if id == leaver {
				left <- put.Put(ctx, item{Seq: -1})
				return
			}
			if id > leaver {
				id--
			}
			if err := put.Put(b.ctx, item{Seq: n + id}); err != nil {
				b.Error(err)
			}
		}()
		synctest.Wait()
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		b.Fatalf("cancelled Put: %v", err)
	}
	expect(b, get, 0, n+putters-1)
	synctest.Wait()
	expectNone(b, get)
}

func getTimeout(b *bench) {
	_, get := open[item](b, 2)
	start := time.Now()
	ctx, cancel := context.WithTimeout(b.ctx, 3*time.Second)
	defer cancel()
	if _, err := get.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("Get: %v", err)
	}
	if d := time.Since(start); d != 3*time.Second {
		b.Errorf("Get waited %v, want 3s", d)
	}
}

func putTimeout(b *bench) {
	put, _ := open[item](b, 2)
	fill(b, put)
	start := time.Now()
	ctx, cancel := context.WithTimeout(b.ctx, 3*time.Second)
	defer cancel()
	if err := put.Put(ctx, item{}); !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("Put: %v", err)
	}
	if d := time.Since(start); d != 3*time.Second {
		b.Errorf("Put waited %v, want 3s", d)
	}
}
