//go:build unix

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

var (
	square = task.Define("example/square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	divide = task.Define("example/divide", func(_ context.Context, n [2]int) (int, error) { return n[0] / n[1], nil })
	sleep  = task.Define("example/sleep", func(ctx context.Context, d time.Duration) (struct{}, error) {
		select {
		case <-time.After(d):
			return struct{}{}, nil
		case <-ctx.Done():
			return struct{}{}, context.Cause(ctx)
		}
	})
	leave = task.Define("example/leave", func(_ context.Context, code int) (int, error) {
		os.Exit(code)
		return 0, nil
	})
)

// with Pool(2) as p: p.apply(square, (3,))
func ExampleCall() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pool.Call(ctx, p, square, 3))
	fmt.Println(p.Close()) // waits for what is running
	// Output:
	// 9 <nil>
	// <nil>
}

// executor.submit(square, n), then future.result(): the results of many, in the
// order of the arguments.
func ExampleSubmit() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	var futures []*pool.Future[int]
	for n := range 5 {
		f, err := pool.Submit(ctx, p, square, n)
		if err != nil {
			log.Fatal(err)
		}
		futures = append(futures, f)
	}
	for _, f := range futures {
		fmt.Println(f.Result(ctx))
	}
	// Output:
	// 0 <nil>
	// 1 <nil>
	// 4 <nil>
	// 9 <nil>
	// 16 <nil>
}

// Unlike future.cancel(), it reaches a job that runs.
func ExampleFuture_Cancel() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	f, err := pool.Submit(ctx, p, sleep, time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	f.Cancel()
	_, err = f.Result(ctx)
	fmt.Println(errors.Is(err, pool.ErrCancelled))
	// Output: true
}

// future.done() and future.result(timeout): a result that is not there yet
// leaves the job alone.
func ExampleFuture_Result() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	f, err := pool.Submit(ctx, p, sleep, 50*time.Millisecond)
	if err != nil {
		log.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = f.Result(short)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	<-f.Done()
	_, err = f.Result(ctx)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A worker's death costs the job that it had started; others go on.
func ExampleWorkerLostError() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	first, err := pool.Submit(ctx, p, leave, 9)
	if err != nil {
		log.Fatal(err)
	}
	second, err := pool.Submit(ctx, p, square, 3)
	if err != nil {
		log.Fatal(err)
	}
	_, err = first.Result(ctx)
	var lost *pool.WorkerLostError
	if errors.As(err, &lost) {
		fmt.Println("exit code", lost.ExitCode)
	}
	fmt.Println(second.Result(ctx))
	// Output:
	// exit code 9
	// 9 <nil>
}

// The time limit of a job counts from its start in the worker.
func ExampleWithTimeout() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	_, err = pool.Call(ctx, p, sleep, time.Hour, pool.WithTimeout(20*time.Millisecond))
	fmt.Println(errors.Is(err, pool.ErrTimeout))
	// Output: true
}

// The traceback of the other process.
func ExampleTaskError() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	_, err = pool.Call(ctx, p, divide, [2]int{1, 0}, pool.WithLabel("oops"))
	var failed *pool.TaskError
	if errors.As(err, &failed) {
		fmt.Println(failed.Task, failed.Job, failed.Failure)
		fmt.Println(strings.Contains(failed.Failure.Stack, "example_test.go"))
	}
	// Output:
	// example/divide oops panic: runtime error: integer divide by zero
	// true
}

// Shutdown is close, terminate and join in one: it waits as long as its context
// allows, ends the rest, and always returns.
func ExamplePool_Shutdown() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := pool.Submit(ctx, p, sleep, time.Hour); err != nil {
		log.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	fmt.Println(p.Shutdown(short).Cancelled)
	// Output: 1
}
