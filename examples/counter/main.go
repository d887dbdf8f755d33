// Command counter has three processes count in one shared variable: carelessly,
// with a lock, and in one step.
//
//	go run ./examples/counter
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/task"
)

const times = 1000

// Counter is what the processes share: references travel.
type Counter struct {
	How  string
	N    *psync.Number[int]
	Lock *psync.Lock
}

var count = task.Define("count", func(ctx context.Context, c Counter) (struct{}, error) {
	increment := func() error { // another one may come between the two
		n, err := c.N.Load(ctx)
		if err != nil {
			return err
		}
		return c.N.Store(ctx, n+1)
	}
	for range times {
		var err error
		switch c.How {
		case "careless":
			err = increment()
		case "with a lock":
			err = c.Lock.Do(ctx, increment)
		case "in one step":
			_, err = c.N.Add(ctx, 1)
		}
		if err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
})

func main() {
	process.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, out io.Writer) error {
	m := manager.New()
	defer m.Close()
	p, err := pool.New(ctx, pool.Config{Workers: 3, Manager: m})
	if err != nil {
		return err
	}
	defer p.Close()
	lock, err := manager.NewLock(m, "lock")
	if err != nil {
		return err
	}
	for _, how := range []string{"careless", "with a lock", "in one step"} {
		n, err := manager.NewNumber(m, how, 0)
		if err != nil {
			return err
		}
		var counters []*pool.Future[struct{}]
		for range 3 {
			f, err := pool.Submit(ctx, p, count, Counter{how, n, lock})
			if err != nil {
				return err
			}
			counters = append(counters, f)
		}
		for _, f := range counters {
			if _, err := f.Result(ctx); err != nil {
				return err
			}
		}
		got, err := n.Load(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d of %d\n", how, got, 3*times)
	}
	return nil
}
