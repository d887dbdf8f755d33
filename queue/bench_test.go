package queue_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
)

// stream puts b.N items with some putters and gets them with some getters.
func stream[T any](b *testing.B, q *queue.Queue[T], v T, putters, getters int) {
	ctx := context.Background()
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	share := func(n, i, of int) int { return n*(i+1)/of - n*i/of }
	for i := range putters {
		all.Go(func() {
			for range share(b.N, i, putters) {
				if err := q.Put(ctx, v); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for i := range getters {
		all.Go(func() {
			for range share(b.N, i, getters) {
				if _, err := q.Get(ctx); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
	if err := q.Shutdown(); err != nil {
		b.Error(err)
	}
}

func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprintf("64B/putters=%d", n), func(b *testing.B) {
			stream(b, queue.New[[]byte](1024), make([]byte, 64), n, 1)
		})
	}
}

// BenchmarkMemory_Unbounded has nobody wait for room.
func BenchmarkMemory_Unbounded(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprintf("64B/putters=%d", n), func(b *testing.B) {
			stream(b, queue.New[[]byte](0), make([]byte, 64), n, 1)
		})
	}
	b.Run("PutGet", func(b *testing.B) {
		ctx := context.Background()
		q := queue.New[int](0)
		b.ReportAllocs()
		for b.Loop() {
			if err := q.Put(ctx, 1); err != nil {
				b.Fatal(err)
			}
			if _, err := q.Get(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkJoinable_LeaseDone(b *testing.B) {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	q := queue.NewJoinable[int](0)
	b.ReportAllocs()
	for b.Loop() {
		if err := q.Put(ctx, 1); err != nil {
			b.Fatal(err)
		}
		l, err := q.Lease(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Done(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPipeEnd_PingPong(b *testing.B) {
	ctx := context.Background()
	near, far := queue.Pipe[int]()
	var echo sync.WaitGroup
	echo.Go(func() {
		for v, err := range far.All(ctx) {
			if err != nil || far.Put(ctx, v) != nil {
				return
			}
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		if err := near.Put(ctx, 1); err != nil {
			b.Fatal(err)
		}
		if _, err := near.Get(ctx); err != nil {
			b.Fatal(err)
		}
	}
	if err := near.Close(); err != nil {
		b.Error(err)
	}
	echo.Wait()
}

func BenchmarkPipe(b *testing.B) {
	for _, n := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("64B/putters=%d", n), func(b *testing.B) {
			stream(b, queue.OverPipes[[]byte](pipeEnds(b)), make([]byte, 64), n, 1)
		})
	}
	b.Run("1MiB", func(b *testing.B) {
		b.SetBytes(1 << 20)
		stream(b, queue.OverPipes[[]byte](pipeEnds(b)), make([]byte, 1<<20), 1, 1)
	})
}

// BenchmarkPipe_Batch is what a caller gets that has its messages in batches, as
// a pool has.
func BenchmarkPipe_Batch(b *testing.B) {
	const size = 64
	p := queue.NewPipes(pipeEnds(b))
	ctx := context.Background()
	msgs := make([][]byte, size)
	for i := range msgs {
		msgs[i] = make([]byte, 64)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var putter sync.WaitGroup
	putter.Go(func() {
		for left := b.N; left > 0; left -= size {
			if _, err := p.PutBatch(ctx, msgs[:min(left, size)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	dst := make([][]byte, size)
	for got := 0; got < b.N; {
		n, err := p.GetBatch(ctx, dst)
		if err != nil {
			b.Fatal(err)
		}
		got += n
	}
	putter.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
	if err := p.Shutdown(); err != nil {
		b.Error(err)
	}
}
