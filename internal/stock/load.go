package stock

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/feac4032/multiproc/task"
)

// Sleep waits for a time, given as a text such as "250ms" or as seconds, and
// returns it as text. It ends early, with an error, when its job is cancelled.
var Sleep = task.Define("sleep", func(ctx context.Context, v any) (string, error) {
	d, err := duration(v)
	if err != nil {
		return "", fmt.Errorf("sleep: %w", err)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return d.String(), nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
})

// Alloc takes memory, given as a text such as "64MiB" or as bytes, writes to all
// of it, gives it back, and returns how many bytes it was.
var Alloc = task.Define("alloc", func(ctx context.Context, v any) (int, error) {
	n, err := size(v)
	if err != nil {
		return 0, fmt.Errorf("alloc: %w", err)
	}
	if err := touch(ctx, n); err != nil {
		return 0, err
	}
	debug.FreeOSMemory() // a warm worker would keep it for a while
	return n, nil
})

func touch(ctx context.Context, n int) error {
	mem := make([]byte, n)
	for i := 0; i < n; i += os.Getpagesize() {
		mem[i] = 1
		if i&(16<<20-1) == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	runtime.KeepAlive(mem)
	return nil
}

// primesMax bounds the argument of Primes: its square root's sieve is 1 MB.
const primesMax = 1_000_000_000_000

// Primes returns how many primes there are up to its argument, of at most 10^12:
// work for one core, in constant memory.
var Primes = task.Define("primes", func(ctx context.Context, n uint64) (uint64, error) {
	if n > primesMax {
		return 0, fmt.Errorf("primes: %d is more than %d", n, uint64(primesMax))
	}
	return countPrimes(ctx, n)
})

// countPrimes is a sieve of Eratosthenes in segments that fit the cache.
func countPrimes(ctx context.Context, n uint64) (uint64, error) {
	if n < 2 {
		return 0, nil
	}
	root := uint64(math.Sqrt(float64(n))) + 1
	composite := make([]bool, root+1)
	var small, next []uint64 // odd primes up to root, and the first odd multiple of each to strike
	for i := uint64(3); i <= root; i += 2 {
		if composite[i] {
			continue
		}
		small, next = append(small, i), append(next, i*i)
		for k := i * i; k <= root; k += 2 * i {
			composite[k] = true
		}
	}
	const segment = 1 << 16 // odd numbers in one
	struck := make([]bool, segment)
	count := uint64(1) // 2
	for low := uint64(3); low <= n; low += 2 * segment {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		clear(struck)
		high := min(low+2*segment-2, n)
		for i, p := range small {
			if p*p > high {
				break
			}
			k := next[i]
			for ; k <= high; k += 2 * p {
				struck[(k-low)/2] = true
			}
			next[i] = k
		}
		for k := low; k <= high; k += 2 {
			if !struck[(k-low)/2] {
				count++
			}
		}
	}
	return count, nil
}
