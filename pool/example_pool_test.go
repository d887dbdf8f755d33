//go:build unix

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

var (
	model string // of this process

	load   = task.Define("example/load", func(_ context.Context, name string) (struct{}, error) { model = name; return struct{}{}, nil })
	answer = task.Define("example/answer", func(_ context.Context, q string) (string, error) { return model + " says " + q, nil })
	who    = task.Define("example/who", func(context.Context, struct{}) (int, error) { return os.Getpid(), nil })
	steps  = task.Define("example/steps", func(ctx context.Context, n int) (int, error) {
		for i := range n {
			if err := worker.Progress(ctx, i+1); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
)

// Pool(2, initializer=load, initargs=("model.bin",))
func ExampleInitWith() {
	ctx := context.Background()
	init, err := pool.InitWith(load, "model.bin")
	if err != nil {
		log.Fatal(err)
	}
	p, err := pool.New(ctx, pool.Config{Workers: 2, Program: pool.Program{Init: init}})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	fmt.Println(pool.Call(ctx, p, answer, "yes"))
	// Output: model.bin says yes <nil>
}

// Pool(1, maxtasksperchild=2): a worker that leaks does not leak for long.
func ExampleProgram() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1, Program: pool.Program{
		MaxJobs:   2,
		MaxMemory: 1 << 30,   // bytes, looked at after each job
		MaxAge:    time.Hour, //
		Spares:    1,         // is ready when the next one is needed
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	processes := map[int]int{}
	for range 6 {
		id, err := pool.Call(ctx, p, who, struct{}{})
		if err != nil {
			log.Fatal(err)
		}
		processes[id]++
	}
	for _, jobs := range processes {
		fmt.Println("jobs:", jobs)
	}
	// Output:
	// jobs: 2
	// jobs: 2
	// jobs: 2
}

// concurrent.futures.wait(futures, return_when=FIRST_COMPLETED)
func ExampleWait() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	slow, _ := pool.Submit(ctx, p, sleep, time.Minute)
	quick, _ := pool.Submit(ctx, p, square, 3)
	// Of two types: as AnyFuture they can be waited for together.
	done, pending, err := pool.Wait[pool.AnyFuture](ctx, pool.FirstDone, slow, quick)
	fmt.Println(len(done), len(pending), err)
	for _, f := range pending {
		fmt.Println(f.Cancel())
	}
	done, pending, err = pool.Wait[pool.AnyFuture](ctx, pool.All, slow, quick)
	fmt.Println(len(done), len(pending), err, slow.Err())
	// Output:
	// 1 1 <nil>
	// interrupting
	// 2 0 <nil> task example/sleep: cancelled
}

// for f in concurrent.futures.as_completed(futures): …
func ExampleAsCompleted() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	slow, _ := pool.Submit(ctx, p, sleep, 200*time.Millisecond, pool.WithLabel("slow"))
	quick, _ := pool.Submit(ctx, p, sleep, time.Millisecond, pool.WithLabel("quick"))
	names := map[any]string{slow: "slow", quick: "quick"}
	for f, err := range pool.AsCompleted(ctx, slow, quick) {
		if err != nil {
			log.Fatal(err) // ctx has ended
		}
		fmt.Println(names[f])
	}
	// Output:
	// quick
	// slow
}

// future.add_done_callback(print)
func ExampleFuture_OnDone() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	f, err := pool.Submit(ctx, p, square, 4)
	if err != nil {
		log.Fatal(err)
	}
	called := make(chan struct{})
	f.OnDone(func(n int, err error) {
		fmt.Println(n, err)
		close(called)
	})
	<-called
	// Output: 16 <nil>
}

// What runs goes on; what waits gets the new workers.
func ExamplePool_Resize() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	fmt.Println(p.Resize(3), p.Stats().Slots)
	fmt.Println(p.Resize(0))
	// Output:
	// <nil> 3
	// pool: resize to 0 slots, want 1 to 1048576
}

func ExamplePool_Stats() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	for n := range 3 {
		pool.Call(ctx, p, divide, [2]int{1, n})
	}
	s := p.Stats()
	fmt.Println("submitted", s.Submitted, "ok", s.Ended[pool.OK], "failed", s.Ended[pool.Failed])
	fmt.Println("workers", len(s.Workers), s.Workers[0].State, "jobs", s.Workers[0].Jobs)
	// Output:
	// submitted 3 ok 2 failed 1
	// workers 1 idle jobs 3
}

// Workers are there before the first job, or it is clear why they are not.
func ExamplePool_Warm() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 2, Restarts: 1, Program: pool.Program{
		Command: []string{"sh", "-c", "echo license expired >&2; exit 3"},
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	fmt.Println(errors.Is(p.Warm(ctx), pool.ErrRestartLimit))
	// Output: true
}

func ExampleWithProgress() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	last := make(chan bool)
	n, err := pool.Call(ctx, p, steps, 100, pool.WithProgress(func(step int) {
		if step == 100 { // some of the others may have been left out
			close(last)
		}
	}))
	<-last
	fmt.Println(n, err)
	// Output: 100 <nil>
}

func ExampleWithPriority() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	f, err := pool.Submit(ctx, p, square, 5, pool.WithPriority(10)) // ahead of what waits with less
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Result(ctx))
	// Output: 25 <nil>
}
