package thread_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/thread"
)

// Thread(target=f) in Python. What the function finds out it leaves in variables
// of its closure, which may be read once the thread is joined.
func ExampleNew() {
	ctx := context.Background()
	sum := 0
	t := thread.New(func(context.Context) error {
		for i := range 10 {
			sum += i
		}
		return nil
	})
	if err := t.Start(ctx); err != nil {
		log.Fatal(err)
	}
	err := t.Join(ctx)
	fmt.Println(sum, err)
	// Output: 45 <nil>
}

// Counter is a subclass of Thread with run, as Python would have it.
type Counter struct{ Limit, Count int }

func (c *Counter) Run(ctx context.Context) error {
	for c.Count < c.Limit {
		c.Count++
	}
	return nil
}

func ExampleNewRunner() {
	ctx := context.Background()
	c := &Counter{Limit: 3}
	t := thread.NewRunner(c, thread.WithName("counter"))
	if err := t.Start(ctx); err != nil {
		log.Fatal(err)
	}
	err := t.Join(ctx)
	fmt.Println(t.Name(), c.Count, err)
	// Output: counter 3 <nil>
}

// The context that a thread is started with is its lifetime. A thread is started
// once.
func ExampleThread_Start() {
	lifetime, end := context.WithCancel(context.Background())
	t := thread.New(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}, thread.WithName("waiter"))
	fmt.Println(t.Start(lifetime))
	fmt.Println(t.Start(lifetime))
	end()
	fmt.Println(t.Join(context.Background()))
	// Output:
	// <nil>
	// start waiter: thread was started before
	// waiter: context canceled
}

// Joining for a limited time leaves the thread alone.
func ExampleThread_Join() {
	ctx := context.Background()
	finish := make(chan bool)
	t := thread.New(func(context.Context) error {
		<-finish
		return nil
	})
	fmt.Println(errors.Is(t.Join(ctx), thread.ErrNotStarted))
	if err := t.Start(ctx); err != nil {
		log.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	err := t.Join(short)
	fmt.Println(errors.Is(err, thread.ErrAlive), errors.Is(err, context.DeadlineExceeded))
	close(finish)
	fmt.Println(t.Join(ctx))
	// Output:
	// true
	// true true
	// <nil>
}

// A panic does not end the program: it is the outcome of the thread, with its
// stack.
func ExampleThread_Join_panic() {
	ctx := context.Background()
	t := thread.New(func(context.Context) error {
		panic("the shelf has fallen")
	}, thread.WithName("librarian"))
	if err := t.Start(ctx); err != nil {
		log.Fatal(err)
	}
	err := t.Join(ctx)
	fmt.Println(err)
	var p *task.PanicError
	fmt.Println(errors.As(err, &p), p.Stack != "")
	// Output:
	// librarian: panic: the shelf has fallen
	// true true
}

// Two threads that join each other would wait for ever.
func ExampleThread_Join_deadlock() {
	ctx := context.Background()
	t := thread.New(func(ctx context.Context) error {
		return thread.Current(ctx).Join(ctx)
	})
	if err := t.Start(ctx); err != nil {
		log.Fatal(err)
	}
	err := t.Join(ctx)
	fmt.Println(errors.Is(err, thread.ErrDeadlock))
	// Output: true
}

func ExampleThread_Alive() {
	ctx := context.Background()
	finish := make(chan bool)
	t := thread.New(func(context.Context) error {
		<-finish
		return errors.New("no more")
	})
	fmt.Println(t.Alive())
	if err := t.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Alive())
	close(finish)
	<-t.Done()
	fmt.Println(t.Alive())
	fmt.Println(t.ExitCode())
	// Output:
	// false
	// true
	// false
	// 1 true
}

// A goroutine cannot be ended from outside: Terminate and Interrupt cancel its
// context, and Kill is refused.
func ExampleThread_Terminate() {
	ctx := context.Background()
	t := thread.New(func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}, thread.WithName("guest"))
	if err := t.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(t.Kill(), errors.ErrUnsupported))
	fmt.Println(t.Terminate())
	fmt.Println(t.Join(ctx))
	// Output:
	// true
	// <nil>
	// guest: thread terminated
}

// Done can stand in a select, beside others.
func ExampleThread_Done() {
	t := thread.New(func(context.Context) error { return nil })
	if err := t.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	select {
	case <-t.Done():
		fmt.Println("it has ended")
	case <-time.After(time.Minute):
		fmt.Println("it takes its time")
	}
	// Output: it has ended
}

func ExampleThread_Close() {
	ctx := context.Background()
	t := thread.New(func(context.Context) error { return nil }, thread.WithName("short"))
	if err := t.Start(ctx); err != nil {
		log.Fatal(err)
	}
	<-t.Done()
	fmt.Println(t.Close(), t.Close())
	fmt.Println(t.Join(ctx))
	// Output:
	// <nil> <nil>
	// join short: thread is closed
}

// A thread knows itself by its context.
func ExampleCurrent() {
	ctx := context.Background()
	t := thread.New(func(ctx context.Context) error {
		fmt.Println("here is", thread.Current(ctx).Name())
		return nil
	}, thread.WithName("echo"))
	if err := t.Start(ctx); err != nil {
		log.Fatal(err)
	}
	<-t.Done()
	fmt.Println(thread.Current(ctx) == nil)
	// Output:
	// here is echo
	// true
}

// Threads that run can be listed.
func ExampleRunning() {
	lifetime, end := context.WithCancel(context.Background())
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}
	for _, name := range []string{"larry", "curly", "moe"} {
		if err := thread.New(wait, thread.WithName(name)).Start(lifetime); err != nil {
			log.Fatal(err)
		}
	}
	end()
	for _, t := range thread.Running() {
		<-t.Done()
	}
	fmt.Println(len(thread.Running()))
	// Output: 0
}
