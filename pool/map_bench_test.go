//go:build unix

package pool_test

import (
	"context"
	"iter"
	"testing"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

var same = task.Define("same", func(_ context.Context, n int) (int, error) { return n, nil })

// upTo yields 0 to n-1.
func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// BenchmarkMap is 10 million ints through a function that does nothing, in two
// workers: generator, encoding, pipes, strict decoding and loop included.
func BenchmarkMap(b *testing.B) {
	const n = 10_000_000
	p := newBench(b, 2)
	b.ReportAllocs()
	for b.Loop() {
		next := 0
		for out, err := range pool.Map(b.Context(), p, same, upTo(n)) {
			if err != nil || out != next {
				b.Fatalf("item %d: %d, %v", next, out, err)
			}
			next++
		}
		if next != n {
			b.Fatalf("%d items", next)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

// BenchmarkUnordered is BenchmarkMap in the order in which results come.
func BenchmarkUnordered(b *testing.B) {
	const n = 10_000_000
	p := newBench(b, 2)
	b.ReportAllocs()
	for b.Loop() {
		count := 0
		for item := range pool.Unordered(b.Context(), p, same, upTo(n)) {
			if item.Err != nil || item.Out != item.In || item.In != item.Index {
				b.Fatalf("%+v", item)
			}
			count++
		}
		if count != n {
			b.Fatalf("%d items", count)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
}
