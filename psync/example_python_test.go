package psync_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/thread"
)

// "with lock:" is Do. Each thread is an owner, so that a lock knows who has it.
func ExampleLock() {
	ctx := context.Background()
	lock := psync.NewLock()
	count := 0
	var threads []*thread.Thread
	for range 4 {
		t := thread.New(func(ctx context.Context) error {
			for range 1000 {
				if err := lock.Do(ctx, func() error { count++; return nil }); err != nil {
					return err
				}
			}
			return nil
		})
		if err := t.Start(ctx); err != nil {
			log.Fatal(err)
		}
		threads = append(threads, t)
	}
	for _, t := range threads {
		if err := t.Join(ctx); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(count)
	// Output: 4000
}

// acquire(), acquire(blocking=False) and acquire(timeout=…). An error always
// means that the lock is not held.
func ExampleLock_Acquire() {
	me, end := psync.WithOwner(context.Background(), psync.Named("me"))
	defer end()
	other, endOther := psync.WithOwner(context.Background(), psync.Named("other"))
	defer endOther()
	lock := psync.NewLock(psync.Named("db"))

	held, err := lock.Acquire(me)
	if err != nil {
		log.Fatal(err)
	}
	_, err = lock.TryAcquire(other)
	fmt.Println(errors.Is(err, psync.ErrWouldBlock))
	short, cancel := context.WithTimeout(other, time.Millisecond)
	defer cancel()
	_, err = lock.Acquire(short)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))

	fmt.Println(held.Release()) // mostly deferred
	held, err = lock.TryAcquire(other)
	fmt.Println(err)
	held.Release()
	// Output:
	// true
	// true
	// <nil>
	// <nil>
}

// Anybody may release a Lock, as in Python, whether they hold it or not.
func ExampleLock_Release() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	lock := psync.NewLock()
	if _, err := lock.Acquire(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(lock.Release(context.Background())) // who has no owner is a stranger
	err := lock.Release(context.Background())
	fmt.Println(errors.Is(err, psync.ErrNotLocked))
	// Output:
	// <nil>
	// true
}

// An RLock is released as often as it was acquired, by its holder alone.
func ExampleRLock_Release() {
	me, end := psync.WithOwner(context.Background())
	defer end()
	other, endOther := psync.WithOwner(context.Background())
	defer endOther()
	lock := psync.NewRLock()

	err := lock.Do(me, func() error {
		return lock.Do(me, func() error {
			err := lock.Release(other)
			fmt.Println(errors.Is(err, psync.ErrNotOwner))
			return nil
		})
	})
	fmt.Println(err)
	_, err = lock.TryAcquire(other)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
	// <nil>
}

// A semaphore as a counter: one party acquires what another one releases, and
// nobody's end gives anything back.
// WaitFor is "while not pred(): wait()".
// A wait that comes to the end of its context has the lock again. Without the
// lock there is no waiting.
func ExampleCondition_Wait() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	c, err := psync.NewCondition(psync.NewLock())
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Wait(ctx)
	fmt.Println(errors.Is(err, psync.ErrNotOwner))

	if _, err := c.Acquire(ctx); err != nil {
		log.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = c.Wait(short)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	fmt.Println(c.Release(ctx))
	// Output:
	// true
	// true
	// <nil>
}

// Who waits and ends, or gives up, takes no notification with him: it goes to the
// next.
func ExampleCondition_Notify() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	lock := psync.NewLock()
	come, err := psync.NewCondition(lock) // somebody has come to wait
	if err != nil {
		log.Fatal(err)
	}
	ready, err := psync.NewCondition(lock) // for which they wait
	if err != nil {
		log.Fatal(err)
	}
	waiting := 0
	wait := func(ctx context.Context, outcome chan<- error) {
		outcome <- ready.Do(ctx, func() error {
			waiting++
			if err := come.Notify(ctx, 1); err != nil {
				return err
			}
			_, err := ready.Wait(ctx)
			return err
		})
	}
	first, leave := psync.WithOwner(context.Background())
	second, leaveToo := psync.WithOwner(context.Background())
	defer leaveToo()
	ofFirst, ofSecond := make(chan error), make(chan error)
	err = lock.Do(ctx, func() error {
		go wait(first, ofFirst)
		if _, err := come.WaitFor(ctx, func() bool { return waiting == 1 }); err != nil {
			return err
		}
		go wait(second, ofSecond)
		_, err := come.WaitFor(ctx, func() bool { return waiting == 2 })
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	leave()
	fmt.Println(errors.Is(<-ofFirst, psync.ErrEnded))
	if err := lock.Do(ctx, func() error { return ready.Notify(ctx, 1) }); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-ofSecond)
	// Output:
	// true
	// <nil>
}

// A barrier at which somebody gives up is broken for all, until Reset.
func ExampleBarrier_Wait() {
	ctx := context.Background()
	barrier, err := psync.NewBarrier(2, nil)
	if err != nil {
		log.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = barrier.Wait(short)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	_, err = barrier.Wait(ctx)
	fmt.Println(errors.Is(err, psync.ErrBroken))
	fmt.Println(barrier.Reset(ctx))
	fmt.Println(barrier.Broken(ctx))
	// Output:
	// true
	// true
	// <nil>
	// false <nil>
}

// Each operation is atomic. Update is "with v.get_lock(): v.value = f(v.value)".
// Value('b', 100): a number of eight bits, which does not wrap around.
// Who ends gives back what they hold, and the next one is told so. Python's
// lock would be locked for ever.
// Two owners that wait for each other: the wait that would close the circle is
// refused, and the other one goes on.
// Jobs, threads and the main function of process.Main are owners. Any other
// goroutine that is to hold something says so.
// Only what a manager shares can travel.
func ExampleLock_EncodeMsgpack() {
	lock := psync.NewLock(psync.Named("mine"))
	err := lock.EncodeMsgpack(nil)
	fmt.Println(errors.Is(err, psync.ErrNotShared))
	// Output: true
}

func ExampleSemaphore() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	printers, err := psync.NewSemaphore(2)
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		held, err := printers.Acquire(ctx)
		if err != nil {
			log.Fatal(err)
		}
		defer held.Release()
	}
	fmt.Println(printers.Value(ctx))
	_, err = printers.TryAcquire(ctx)
	fmt.Println(errors.Is(err, psync.ErrWouldBlock))
	// Output:
	// 0 <nil>
	// true
}

// A semaphore as a counter: one party acquires what another one releases, and
// nobody's end gives anything back.
func ExampleSemaphore_AcquireDetached() {
	ctx := context.Background() // no owner
	ready, err := psync.NewSemaphore(0)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for range 3 {
			ready.Release(ctx)
		}
	}()
	for range 3 {
		if err := ready.AcquireDetached(ctx); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(ready.Value(ctx))
	// Output: 0 <nil>
}

func ExampleBoundedSemaphore() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	s, err := psync.NewBoundedSemaphore(1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Do(ctx, func() error { return nil }))
	err = s.Release(ctx)
	fmt.Println(errors.Is(err, psync.ErrReleasedTooOften))
	// Output:
	// <nil>
	// true
}

// WaitFor is "while not pred(): wait()".
func ExampleCondition() {
	ctx, end := psync.WithOwner(context.Background(), psync.Named("consumer"))
	defer end()
	filled, err := psync.NewCondition(nil) // with an RLock of its own
	if err != nil {
		log.Fatal(err)
	}
	var shelf []string
	producer := thread.New(func(ctx context.Context) error {
		return filled.Do(ctx, func() error {
			shelf = append(shelf, "bread")
			return filled.Notify(ctx, 1)
		})
	})
	err = filled.Do(ctx, func() error {
		if err := producer.Start(ctx); err != nil {
			return err
		}
		_, err := filled.WaitFor(ctx, func() bool { return len(shelf) > 0 })
		fmt.Println(shelf)
		return err
	})
	fmt.Println(err)
	<-producer.Done()
	// Output:
	// [bread]
	// <nil>
}

func ExampleEvent() {
	ctx := context.Background()
	start := psync.NewEvent()
	runner := thread.New(start.Wait)
	if err := runner.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := start.Set(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(runner.Join(ctx))
	fmt.Println(start.IsSet(ctx))
	fmt.Println(start.Clear(ctx))
	fmt.Println(start.IsSet(ctx))
	// Output:
	// <nil>
	// true <nil>
	// <nil>
	// false <nil>
}

// All go on together, each with an index of its own; the action has run by then.
func ExampleBarrier() {
	ctx := context.Background()
	barrier, err := psync.NewBarrier(3, func() error {
		fmt.Println("all are here")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	indexes := make(chan int, 3)
	var threads []*thread.Thread
	for range 3 {
		t := thread.New(func(ctx context.Context) error {
			i, err := barrier.Wait(ctx)
			indexes <- i
			return err
		})
		if err := t.Start(ctx); err != nil {
			log.Fatal(err)
		}
		threads = append(threads, t)
	}
	for _, t := range threads {
		if err := t.Join(ctx); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(<-indexes + <-indexes + <-indexes)
	// Output:
	// all are here
	// 3
}

// Who ends gives back what they hold, and the next one is told so. Python's
// lock would be locked for ever.
func ExampleHeld() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	lock := psync.NewLock()
	careless := thread.New(func(ctx context.Context) error {
		if _, err := lock.Acquire(ctx); err != nil {
			return err
		}
		return errors.New("out of paper") // without a Release
	}, thread.WithName("careless"))
	if err := careless.Start(ctx); err != nil {
		log.Fatal(err)
	}
	<-careless.Done()

	held, err := lock.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer held.Release()
	if a := held.Abandoned; a != nil {
		fmt.Printf("%s left it: %v\n", a.Name, a.Cause)
	}
	// Output: careless left it: out of paper
}

// Two owners that wait for each other: the wait that would close the circle is
// refused, and the other one goes on. Python hangs here.
func ExampleDeadlockError() {
	ctx := context.Background()
	a, b := psync.NewLock(psync.Named("a")), psync.NewLock(psync.Named("b"))
	both, err := psync.NewBarrier(2, nil)
	if err != nil {
		log.Fatal(err)
	}
	take := func(first, second *psync.Lock) func(context.Context) error {
		return func(ctx context.Context) error {
			return first.Do(ctx, func() error {
				if _, err := both.Wait(ctx); err != nil {
					return err
				}
				return second.Do(ctx, func() error { return nil })
			})
		}
	}
	x, y := thread.New(take(a, b), thread.WithName("x")), thread.New(take(b, a), thread.WithName("y"))
	for _, t := range []*thread.Thread{x, y} {
		if err := t.Start(ctx); err != nil {
			log.Fatal(err)
		}
	}
	refused, fine := x.Join(ctx), y.Join(ctx)
	if refused == nil {
		refused, fine = fine, refused
	}
	var deadlock *psync.DeadlockError
	fmt.Println(errors.As(refused, &deadlock), fine)
	for _, w := range deadlock.Cycle {
		if w.Waiter.Name == "x" {
			fmt.Println("x waits for", w.Resource, "of", w.Holder.Name)
		}
	}
	// Output:
	// true <nil>
	// x waits for lock "b" of y
}

// Jobs, threads and the main function of process.Main are owners. Any other
// goroutine that is to hold something says so.
func ExampleWithOwner() {
	lock := psync.NewLock()
	_, err := lock.Acquire(context.Background())
	fmt.Println(errors.Is(err, psync.ErrNoOwner))

	ctx, end := psync.WithOwner(context.Background(), psync.Named("janitor"))
	_, err = lock.Acquire(ctx)
	fmt.Println(err)
	end() // gives back what it still holds

	next, endNext := psync.WithOwner(context.Background())
	defer endNext()
	held, err := lock.Acquire(next)
	fmt.Println(held.Abandoned.Name, err)
	// Output:
	// true
	// <nil>
	// janitor <nil>
}
