package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/thread"
)

// put(), put_nowait() and put(timeout=…). What was put is a snapshot, and what
// cannot travel is refused by Put, with its place, in this goroutine.
func ExampleQueue_Put() {
	ctx := context.Background()
	q := queue.New[[]string](1)
	names := []string{"a.jpg"}
	fmt.Println(q.Put(ctx, names))
	names[0] = "changed"

	fmt.Println(errors.Is(q.TryPut(ctx, names), queue.ErrFull))
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	fmt.Println(errors.Is(q.Put(short, names), context.DeadlineExceeded))

	fmt.Println(q.Get(ctx))
	err := queue.New[any](1).Put(ctx, []any{1, func() {}})
	fmt.Println(strings.Contains(err.Error(), "[1]"), err != nil)
	// Output:
	// <nil>
	// true
	// true
	// [a.jpg] <nil>
	// true true
}

// get(), get_nowait() and get(timeout=…).
func ExampleQueue_Get() {
	ctx := context.Background()
	q := queue.New[string](0)
	_, err := q.TryGet(ctx)
	fmt.Println(errors.Is(err, queue.ErrEmpty))
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = q.Get(short)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))

	if err := q.Put(ctx, "a.jpg"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(q.Get(ctx))
	// Output:
	// true
	// true
	// a.jpg <nil>
}

// qsize(), empty() and full() are exact, until somebody else puts or gets.
func ExampleQueue_Len() {
	ctx := context.Background()
	q := queue.New[int](2)
	for i := range 2 {
		if err := q.Put(ctx, i); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(q.Len(ctx))
	fmt.Println(q.Empty(ctx))
	fmt.Println(q.Full(ctx))
	// Output:
	// 2 <nil>
	// false <nil>
	// true <nil>
}

// shutdown(): what is queued can still be got.
func ExampleQueue_Close() {
	ctx := context.Background()
	q := queue.New[int](0)
	if err := q.Put(ctx, 1); err != nil {
		log.Fatal(err)
	}
	q.Close()
	fmt.Println(errors.Is(q.Put(ctx, 2), queue.ErrClosed))
	fmt.Println(q.Get(ctx))
	_, err := q.Get(ctx)
	fmt.Println(errors.Is(err, queue.ErrClosed))
	// Output:
	// true
	// 1 <nil>
	// true
}

// shutdown(immediate=True): what is queued is dropped.
func ExampleQueue_Shutdown() {
	ctx := context.Background()
	q := queue.New[int](0)
	if err := q.Put(ctx, 1); err != nil {
		log.Fatal(err)
	}
	q.Shutdown()
	_, err := q.Get(ctx)
	fmt.Println(errors.Is(err, queue.ErrClosed))
	// Output: true
}

// "for item in iter(q.get, None)", without the None.
func ExampleQueue_All() {
	ctx := context.Background()
	q := queue.New[int](1)
	go func() {
		defer q.Close()
		for i := range 3 {
			if err := q.Put(ctx, i*i); err != nil {
				return
			}
		}
	}()
	for n, err := range q.All(ctx) {
		fmt.Println(n, err)
	}
	// Output:
	// 0 <nil>
	// 1 <nil>
	// 4 <nil>
}

// JoinableQueue, word for word: get, task_done, join. Who gets is an owner.
func ExampleJoinable_TaskDone() {
	ctx := context.Background()
	q := queue.NewJoinable[string](0)
	waiter := thread.New(func(ctx context.Context) error {
		for range 2 {
			if _, err := q.Get(ctx); err != nil {
				return err
			}
			if err := q.TaskDone(ctx); err != nil {
				return err
			}
		}
		return q.TaskDone(ctx) // one too many
	})
	for _, dish := range []string{"soup", "salad"} {
		if err := q.Put(ctx, dish); err != nil {
			log.Fatal(err)
		}
	}
	if err := waiter.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(q.Join(ctx))
	fmt.Println(errors.Is(waiter.Join(ctx), queue.ErrTooManyDone))
	// Output:
	// <nil>
	// true
}

// A lease says whose an item is: what its owner's end finds open goes back to
// the head of the queue.
func ExampleJoinable_Lease() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	q := queue.NewJoinable[string](0)
	for _, dish := range []string{"soup", "salad"} {
		if err := q.Put(ctx, dish); err != nil {
			log.Fatal(err)
		}
	}
	clumsy := thread.New(func(ctx context.Context) error {
		_, err := q.Lease(ctx)
		return err // with the soup in its hands
	})
	if err := clumsy.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := clumsy.Join(ctx); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		l, err := q.Lease(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(l.Value, l.Deliveries, l.Done())
	}
	fmt.Println(q.Join(ctx))
	// Output:
	// soup 2 <nil>
	// salad 1 <nil>
	// <nil>
}

// An item that its owners have ended with twice is given up and reported, so
// that it does not take one after the other with it.
func ExampleOnPoisoned() {
	ctx := context.Background()
	q := queue.NewJoinable[string](0, queue.OnPoisoned(func(p queue.Poisoned) {
		fmt.Println("given up after", p.Deliveries)
	}))
	if err := q.Put(ctx, "puffer fish"); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		eater, end := psync.WithOwner(ctx)
		if _, err := q.Lease(eater); err != nil {
			log.Fatal(err)
		}
		end()
	}
	fmt.Println(q.Join(ctx))
	// Output:
	// given up after 2
	// <nil>
}

func ExampleSimple() {
	ctx := context.Background()
	q := queue.NewSimple[string]()
	fmt.Println(q.Put(ctx, "hello"))
	fmt.Println(q.Get(ctx))
	fmt.Println(q.Empty(ctx))
	fmt.Println(q.Close())
	// Output:
	// <nil>
	// hello <nil>
	// true <nil>
	// <nil>
}

// Messages stay apart, those without bytes too, and the end of the other side is
// an io.EOF.
func ExamplePipe() {
	ctx := context.Background()
	here, there := queue.Pipe[[]byte]()
	go func() {
		defer there.Close()
		for _, m := range [][]byte{[]byte("ab"), {}, []byte("c")} {
			if err := there.Put(ctx, m); err != nil {
				return
			}
		}
	}()
	for {
		m, err := here.Get(ctx)
		if err == io.EOF {
			break
		}
		fmt.Printf("%q %v\n", m, err)
	}
	fmt.Println(errors.Is(here.Put(ctx, nil), queue.ErrLost))
	// Output:
	// "ab" <nil>
	// "" <nil>
	// "c" <nil>
	// true
}

// An item that does not decode costs itself alone.
func ExampleItemError() {
	ctx := context.Background()
	backend := queue.NewMemory(0)
	anything, numbers := queue.Over[any](backend), queue.Over[int8](backend)
	for _, v := range []any{300, 7} {
		if err := anything.Put(ctx, v); err != nil {
			log.Fatal(err)
		}
	}
	_, err := numbers.Get(ctx)
	var item *queue.ItemError
	fmt.Println(errors.As(err, &item))
	fmt.Println(numbers.Get(ctx))
	// Output:
	// true
	// 7 <nil>
}

// A queue of a manager is passed in an argument; one in memory is not.
func ExampleQueue_EncodeMsgpack() {
	q := queue.New[int](0)
	err := queue.New[*queue.Queue[int]](0).Put(context.Background(), q)
	fmt.Println(errors.Is(err, queue.ErrNotShared))
	// Output: true
}
