// Command map counts primes below some numbers, in parallel, in the processes of
// a pool. The results come in the order of the numbers.
//
//	go run ./examples/map
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
)

var primes = task.Define("primes", func(_ context.Context, below int) (count int, err error) {
	composite := make([]bool, max(below, 2))
	for n := 2; n < below; n++ {
		if composite[n] {
			continue
		}
		count++
		for m := n * n; m < below; m += n {
			composite[m] = true
		}
	}
	return count, nil
})

func main() {
	process.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, out io.Writer) error {
	p, err := pool.New(ctx, pool.Config{}) // a worker for each CPU
	if err != nil {
		return err
	}
	defer p.Close()
	numbers := []int{1_000_000, 100_000, 10_000, 1000, 100, 10}
	i := 0
	for count, err := range pool.Map(ctx, p, primes, slices.Values(numbers)) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%7d: %d\n", numbers[i], count)
		i++
	}
	return nil
}
