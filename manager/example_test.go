package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/thread"
)

// poolOf makes a manager, and a pool whose jobs see its objects.
func poolOf(ctx context.Context, workers int) (*manager.Manager, *pool.Pool) {
	m := manager.New()
	p, err := pool.New(ctx, pool.Config{Workers: workers, Manager: m})
	if err != nil {
		log.Fatal(err)
	}
	return m, p
}

// Greet opens a queue by its name, with the context of its job.
var Greet = task.Define("example/greet", func(ctx context.Context, who string) (struct{}, error) {
	greetings, err := manager.Queue[string](ctx, "greetings")
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, greetings.Put(ctx, "hello "+who)
})

// Queue() between processes: the supervisor makes it, jobs open it by its name.
// Opening something else is an error, and so is a typing error in the name.
func ExampleNewQueue() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	greetings, err := manager.NewQueue[string](m, "greetings", 10)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := pool.Call(ctx, p, Greet, "world"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(greetings.Get(ctx))

	here := manager.With(ctx, m) // as a job's context is
	_, err = manager.Queue[string](here, "greeting")
	fmt.Println(errors.Is(err, manager.ErrNotFound))
	_, err = manager.Queue[int](here, "greetings")
	fmt.Println(errors.Is(err, manager.ErrMismatch))
	_, err = manager.Queue[string](here, "greetings", manager.Sized(5))
	fmt.Println(errors.Is(err, manager.ErrMismatch))
	// Output:
	// hello world <nil>
	// true
	// true
	// true
}

// Errand has the queue in which the answer is wanted.
type Errand struct {
	N    int
	Back *queue.Queue[int]
}

var Run = task.Define("example/run", func(ctx context.Context, e Errand) (struct{}, error) {
	return struct{}{}, e.Back.Put(ctx, e.N*e.N)
})

// Process(target=run, args=(3, q)): a shared object travels in an argument as a
// reference, and is the same object there.
func ExampleNewQueue_argument() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	back, err := manager.NewQueue[int](m, "back", 0)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := pool.Call(ctx, p, Run, Errand{3, back}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(back.Get(ctx))

	_, err = pool.Call(ctx, p, Run, Errand{3, queue.New[int](0)}) // of nobody else
	fmt.Println(errors.Is(err, manager.ErrNotShared))
	// Output:
	// 9 <nil>
	// true
}

var Fill = task.Define("example/fill", func(ctx context.Context, q *queue.Queue[string]) (int, error) {
	for range 3 {
		if err := q.Put(ctx, strings.Repeat("x", 1<<20)); err != nil {
			return 0, err
		}
	}
	return 3, nil
})

// Joining who has put, before getting what was put, is no deadlock, however
// large the items are; in Python it is one.
func ExampleNewQueue_joinFirst() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	q, err := manager.NewQueue[string](m, "large", 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pool.Call(ctx, p, Fill, q))
	p.Close()
	fmt.Println(q.Len(ctx))
	item, err := q.Get(ctx)
	fmt.Println(len(item), err)
	// Output:
	// 3 <nil>
	// 3 <nil>
	// 1048576 <nil>
}

// Choke dies of its first item, with the lease in its hands.
var Choke = task.Define("example/choke", func(ctx context.Context, q *queue.Joinable[string]) (string, error) {
	l, err := q.Lease(ctx)
	if err != nil {
		return "", err
	}
	if l.Deliveries == 1 {
		os.Exit(1)
	}
	return l.Value, l.Done()
})

// What a worker had leased when it died goes to another one.
func ExampleNewJoinable() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	q, err := manager.NewJoinable[string](m, "dishes", 0)
	if err != nil {
		log.Fatal(err)
	}
	if err := q.Put(ctx, "fish"); err != nil {
		log.Fatal(err)
	}
	_, err = pool.Call(ctx, p, Choke, q)
	var lost *pool.WorkerLostError
	fmt.Println(errors.As(err, &lost))
	fmt.Println(pool.Call(ctx, p, Choke, q))
	fmt.Println(q.Join(ctx))
	// Output:
	// true
	// fish <nil>
	// <nil>
}

// Swallow dies in the middle of its work, after one Get.
var Swallow = task.Define("example/swallow", func(ctx context.Context, q *queue.Queue[int]) (int, error) {
	n, err := q.Get(ctx)
	if n == 1 {
		os.Exit(1)
	}
	return n, err
})

// A reader's death costs what it had taken, and nobody else's next item.
func ExampleQueue() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	q, err := manager.NewQueue[int](m, "numbers", 0)
	if err != nil {
		log.Fatal(err)
	}
	for n := range 3 {
		if err := q.Put(ctx, n+1); err != nil {
			log.Fatal(err)
		}
	}
	_, err = pool.Call(ctx, p, Swallow, q)
	fmt.Println(err != nil)
	fmt.Println(pool.Call(ctx, p, Swallow, q))
	fmt.Println(q.Get(ctx))
	// Output:
	// true
	// 2 <nil>
	// 3 <nil>
}

// Die takes a lock and ends its process.
var Die = task.Define("example/die", func(ctx context.Context, l *psync.Lock) (struct{}, error) {
	if _, err := l.Acquire(ctx); err != nil {
		return struct{}{}, err
	}
	os.Exit(9)
	return struct{}{}, nil
})

// The holder of a lock dies. Python's lock stays locked for ever; this one goes
// to the next, who is told.
func ExampleNewLock() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	db, err := manager.NewLock(m, "db")
	if err != nil {
		log.Fatal(err)
	}
	_, err = pool.Call(ctx, p, Die, db, pool.WithLabel("migration"))
	var lost *pool.WorkerLostError
	fmt.Println(errors.As(err, &lost))

	me, end := psync.WithOwner(ctx)
	defer end()
	held, err := db.Acquire(me)
	if err != nil {
		log.Fatal(err)
	}
	defer held.Release()
	fmt.Println("left by", held.Abandoned.Job)
	// Output:
	// true
	// left by migration
}

// Count is the work of a thread and of a job.
var Count = task.Define("example/count", func(ctx context.Context, n int) (int64, error) {
	total, err := manager.Number[int64](ctx, "total")
	if err != nil {
		return 0, err
	}
	return total.Add(ctx, int64(n))
})

// A job in a worker and a thread of this program have the same object.
func ExampleWith() {
	ctx := context.Background()
	m, p := poolOf(ctx, 1)
	defer m.Close()
	defer p.Close()
	total, err := manager.NewNumber(m, "total", int64(0))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := pool.Call(ctx, p, Count, 1); err != nil {
		log.Fatal(err)
	}
	t := thread.New(func(ctx context.Context) error {
		total, err := manager.Number[int64](ctx, "total")
		if err != nil {
			return err
		}
		_, err = total.Add(ctx, 2)
		return err
	})
	if err := t.Start(manager.With(ctx, m)); err != nil {
		log.Fatal(err)
	}
	if err := t.Join(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(total.Load(ctx))
	// Output: 3 <nil>
}

// An object can be taken away from those who use it.
func ExampleManager_Remove() {
	ctx := context.Background()
	m := manager.New()
	defer m.Close()
	q, err := manager.NewQueue[int](m, "numbers", 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Names())
	fmt.Println(m.Remove("numbers"))
	_, err = q.Get(ctx)
	fmt.Println(errors.Is(err, manager.ErrRemoved))
	// Output:
	// [numbers]
	// <nil>
	// true
}

// A lax manager makes what is opened and not there yet.
func ExampleLax() {
	m := manager.New(manager.Lax(manager.KindNumber))
	defer m.Close()
	ctx := manager.With(context.Background(), m)
	hits, err := manager.Number[int](ctx, "hits")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(hits.Add(ctx, 1))
	// Output: 1 <nil>
}
