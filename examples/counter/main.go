// Command counter has three processes count in one shared variable, carelessly
// and with a lock.
//
//	go run ./examples/counter
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/task"
)

const processes, times = 3, 1000

// Counter is what the processes share. References travel: it is the same number
// and the same lock in all of them.
type Counter struct {
	N    *psync.Number[int]
	Lock *psync.Lock // nil = without
}

var count = task.Define("count", func(ctx context.Context, c Counter) (_ struct{}, err error) {
	increment := func() error { // another one may come between the two; N.Add would be one step
		n, err := c.N.Load(ctx)
		if err != nil {
			return err
		}
		return c.N.Store(ctx, n+1)
	}
	for i := 0; i < times && err == nil; i++ {
		if c.Lock == nil {
			err = increment()
		} else {
			err = c.Lock.Do(ctx, increment)
		}
	}
	return struct{}{}, err
})

func main() {
	process.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, out io.Writer) error {
	m := manager.New()
	defer m.Close()
	lock, err := manager.NewLock(m, "lock")
	if err != nil {
		return err
	}
	for _, lock := range []*psync.Lock{nil, lock} {
		how := "careless"
		if lock != nil {
			how = "with a lock"
		}
		n, err := manager.NewNumber(m, how, 0)
		if err != nil {
			return err
		}
		var all [processes]*process.Call[struct{}]
		for i := range all {
			all[i] = process.New(count, Counter{n, lock}, process.WithManager(m))
			if err := all[i].Start(ctx); err != nil {
				return err
			}
		}
		for _, p := range all {
			if err := p.Join(ctx); err != nil {
				return err
			}
		}
		got, err := n.Load(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d of %d\n", how, got, processes*times)
	}
	return nil
}
