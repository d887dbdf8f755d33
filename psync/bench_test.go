package psync_test

import (
	"context"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/psync"
)

// holders are ways to hold something alone, by what makes the function that takes
// it and gives it back for a goroutine.
var holders = []struct {
	name string
	make func(b *testing.B) func() func()
}{
	{"Lock", func(b *testing.B) func() func() { return turns(b, psync.NewLock()) }},
	{"RLock", func(b *testing.B) func() func() { return turns(b, psync.NewRLock()) }},
	{"Semaphore", func(b *testing.B) func() func() {
		s, err := psync.NewSemaphore(1)
		if err != nil {
			b.Fatal(err)
		}
		return turns(b, s)
	}},
	{"sync.Mutex", func(*testing.B) func() func() {
		var mu sync.Mutex
		return func() func() {
			return func() {
				mu.Lock()
				//lint:ignore SA2001 the pair is what is measured
				mu.Unlock()
			}
		}
	}},
	{"chan", func(*testing.B) func() func() {
		token := make(chan struct{}, 1)
		return func() func() {
			return func() {
				token <- struct{}{}
				<-token
			}
		}
	}},
}

func turns(b *testing.B, l interface {
	Acquire(context.Context) (psync.Held, error)
}) func() func() {
	return func() func() {
		ctx, end := psync.WithOwner(context.Background())
		b.Cleanup(end)
		return func() {
			held, err := l.Acquire(ctx)
			if err == nil {
				err = held.Release()
			}
			if err != nil {
				b.Error(err)
			}
		}
	}
}

// BenchmarkUncontended takes and gives back what nobody else wants.
func BenchmarkUncontended(b *testing.B) {
	for _, h := range holders {
		b.Run(h.name, func(b *testing.B) {
			turn := h.make(b)()
			b.ReportAllocs()
			for b.Loop() {
				turn()
			}
		})
	}
}

// BenchmarkContended has eight goroutines take turns. Those of this package are
// served first come, first served, so that every turn wakes another goroutine;
// sync.Mutex lets whoever runs take it again and again.
func BenchmarkContended(b *testing.B) {
	for _, h := range holders {
		b.Run(h.name, func(b *testing.B) {
			const goroutines = 8
			start := h.make(b)
			var all sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for i := range goroutines {
				turn := start()
				all.Go(func() {
					for range b.N*(i+1)/goroutines - b.N*i/goroutines {
						turn()
					}
				})
			}
			all.Wait()
		})
	}
}

func BenchmarkNumber_Add(b *testing.B) {
	ctx := b.Context()
	n, err := psync.NewNumber(0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n.Add(ctx, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvent_Wait(b *testing.B) {
	ctx := b.Context()
	e := psync.NewEvent()
	if err := e.Set(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Wait(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
