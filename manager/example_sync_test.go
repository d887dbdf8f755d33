package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

// Box is a number and the condition that it changes under.
type Box struct {
	N       *psync.Number[int]
	Changed *psync.Condition
}

// AwaitNumber waits until there is a number in the box.
var AwaitNumber = task.Define("example/await-number", func(ctx context.Context, b Box) (n int, err error) {
	err = b.Changed.Do(ctx, func() error {
		for n == 0 {
			if n, err = b.N.Load(ctx); err != nil || n > 0 {
				return err
			}
			if _, err := b.Changed.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
})

// A process waits until this one has changed something.
func ExampleNewCondition() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	changed, err := manager.NewCondition(m, "changed", nil)
	if err != nil {
		log.Fatal(err)
	}
	n, err := manager.NewNumber(m, "number", 0)
	if err != nil {
		log.Fatal(err)
	}
	f, err := pool.Submit(ctx, p, AwaitNumber, Box{n, changed})
	if err != nil {
		log.Fatal(err)
	}
	me, end := psync.WithOwner(ctx)
	defer end()
	err = changed.Do(me, func() error {
		if err := n.Store(me, 7); err != nil {
			return err
		}
		return changed.NotifyAll(me)
	})
	fmt.Println(err)
	fmt.Println(f.Result(ctx))
	// Output:
	// <nil>
	// 7 <nil>
}

var Meet = task.Define("example/meet", func(ctx context.Context, b *psync.Barrier) (int, error) { return b.Wait(ctx) })

// Processes go on together, each with an index of its own. The action runs here.
func ExampleNewBarrier() {
	ctx := context.Background()
	m, p := poolOf(ctx, 2)
	defer m.Close()
	defer p.Close()
	barrier, err := manager.NewBarrier(m, "barrier", 2, func() error {
		fmt.Println("both are here")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	sum := 0
	var futures []*pool.Future[int]
	for range 2 {
		f, err := pool.Submit(ctx, p, Meet, barrier)
		if err != nil {
			log.Fatal(err)
		}
		futures = append(futures, f)
	}
	for _, f := range futures {
		i, err := f.Result(ctx)
		if err != nil {
			log.Fatal(err)
		}
		sum += i
	}
	fmt.Println(sum)
	// Output:
	// both are here
	// 1
}

var AwaitEvent = task.Define("example/await-event", func(ctx context.Context, e *psync.Event) (bool, error) {
	if err := e.Wait(ctx); err != nil {
		return false, err
	}
	return e.IsSet(ctx)
})

func ExampleNewEvent() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	start, err := manager.NewEvent(m, "start")
	if err != nil {
		log.Fatal(err)
	}
	f, err := pool.Submit(ctx, p, AwaitEvent, start)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(start.Set(ctx))
	fmt.Println(f.Result(ctx))
	// Output:
	// <nil>
	// true <nil>
}

// TakeAway dies with a permit in its hands.
var TakeAway = task.Define("example/take-away", func(ctx context.Context, s *psync.Semaphore) (int, error) {
	if _, err := s.Acquire(ctx); err != nil {
		return 0, err
	}
	os.Exit(9)
	return 0, nil
})

// The permit of a process that has died is free again.
func ExampleNewSemaphore() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	printers, err := manager.NewSemaphore(m, "printers", 2)
	if err != nil {
		log.Fatal(err)
	}
	_, err = pool.Call(ctx, p, TakeAway, printers)
	var lost *pool.WorkerLostError
	fmt.Println(errors.As(err, &lost))
	fmt.Println(printers.Value(ctx))
	// Output:
	// true
	// 2 <nil>
}

// Squares is the sum of what it has squared.
var Squares = task.Define("example/squares", func(ctx context.Context, e *queue.End[int]) (sum int, err error) {
	for n, err := range e.All(ctx) { // until the other end is closed
		if err != nil {
			return 0, err
		}
		if err := e.Put(ctx, n*n); err != nil {
			return 0, err
		}
		sum += n * n
	}
	return sum, nil
})

// One end stays here, the other one goes to a process.
func ExampleNewPipe() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	here, there, err := manager.NewPipe[int](m, "pipe")
	if err != nil {
		log.Fatal(err)
	}
	f, err := pool.Submit(ctx, p, Squares, there)
	if err != nil {
		log.Fatal(err)
	}
	for n := range 3 {
		if err := here.Put(ctx, n+1); err != nil {
			log.Fatal(err)
		}
		fmt.Println(here.Get(ctx))
	}
	here.Close()
	fmt.Println(f.Result(ctx))
	// Output:
	// 1 <nil>
	// 4 <nil>
	// 9 <nil>
	// 14 <nil>
}

var Fibonacci = task.Define("example/fibonacci", func(ctx context.Context, a *psync.Array[int]) (int, error) {
	n, err := a.Len(ctx)
	for i := 2; i < n && err == nil; i++ {
		var last, other int
		if last, err = a.Load(ctx, i-1); err == nil {
			if other, err = a.Load(ctx, i-2); err == nil {
				err = a.Store(ctx, i, last+other)
			}
		}
	}
	return n, err
})

// Process(target=fibonacci, args=(Array('l', [1, 1, 0, 0, 0, 0]),))
func ExampleNewArray() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	numbers, err := manager.NewArray(m, "numbers", []int{1, 1, 0, 0, 0, 0})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pool.Call(ctx, p, Fibonacci, numbers))
	fmt.Println(numbers.Snapshot(ctx))
	// Output:
	// 6 <nil>
	// [1 1 2 3 5 8] <nil>
}

// Crossing has two locks, and where to meet between them.
type Crossing struct {
	First, Second *psync.Lock
	Between       *psync.Barrier
}

var Cross = task.Define("example/cross", func(ctx context.Context, c Crossing) (struct{}, error) {
	return struct{}{}, c.First.Do(ctx, func() error {
		if _, err := c.Between.Wait(ctx); err != nil {
			return err
		}
		return c.Second.Do(ctx, func() error { return nil })
	})
})

// Two processes take two locks in opposite order. In Python both hang; here one
// is refused, and the other one goes on.
func ExampleNewLock_deadlock() {
	ctx := context.Background()
	m, p := poolOf(ctx, 2)
	defer m.Close()
	defer p.Close()
	a, err := manager.NewLock(m, "a")
	if err != nil {
		log.Fatal(err)
	}
	b, err := manager.NewLock(m, "b")
	if err != nil {
		log.Fatal(err)
	}
	between, err := manager.NewBarrier(m, "between", 2, nil)
	if err != nil {
		log.Fatal(err)
	}
	var futures []*pool.Future[struct{}]
	for _, c := range []Crossing{{a, b, between}, {b, a, between}} {
		f, err := pool.Submit(ctx, p, Cross, c)
		if err != nil {
			log.Fatal(err)
		}
		futures = append(futures, f)
	}
	refused, fine := 0, 0
	for _, f := range futures {
		switch _, err := f.Result(ctx); {
		case err == nil:
			fine++
		case errors.Is(err, psync.ErrDeadlock): // a *DeadlockError where it was refused
			refused++
		}
	}
	fmt.Println(refused, "refused,", fine, "fine")
	// Output: 1 refused, 1 fine
}
