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
func ExampleLock_threads() {
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

// One who waits and gives up takes no notification with him.
func ExampleCondition_Notify() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	lock := psync.NewLock()
	come, _ := psync.NewCondition(lock)  // somebody has come to wait
	ready, _ := psync.NewCondition(lock) // for which they wait
	waiting := 0
	wait := func(ctx context.Context) error {
		return ready.Do(ctx, func() error {
			waiting++
			if err := come.Notify(ctx, 1); err != nil {
				return err
			}
			_, err := ready.Wait(ctx)
			return err
		})
	}
	first, second := thread.New(wait, thread.WithName("first")), thread.New(wait, thread.WithName("second"))
	err := lock.Do(ctx, func() error {
		for i, t := range []*thread.Thread{first, second} {
			if err := t.Start(ctx); err != nil {
				return err
			}
			if _, err := come.WaitFor(ctx, func() bool { return waiting == i+1 }); err != nil {
				return err
			}
		}
		return first.Terminate() // ends its context
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(first.Join(ctx), context.Canceled))
	if err := lock.Do(ctx, func() error { return ready.Notify(ctx, 1) }); err != nil {
		log.Fatal(err)
	}
	fmt.Println(second.Join(ctx))
	// Output:
	// true
	// <nil>
}

// All go on together, each with an index of its own; the action has run by then.
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
