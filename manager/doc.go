// Package manager gives names to the objects that processes share: queues,
// pipes, locks, semaphores, conditions, events, barriers and values. It is what
// BaseManager is to Python's multiprocessing, without a process of its own.
//
// The one idea: every shared object lives in the supervisor, whole, and a worker
// asks for what it wants over the pipes that it has anyway. So no death of a
// worker leaves anything locked: the end of its pipe tells the supervisor, who
// takes back what it held, and says so to the next one who gets it.
//
// The supervisor makes a manager and its objects, and hands the manager to what
// starts processes:
//
//	m := manager.New()
//	defer m.Close()
//	results, err := manager.NewQueue[Result](m, "results", 100)
//	p, err := pool.New(ctx, pool.Config{Manager: m})
//	c := process.New(work, in, process.WithManager(m))
//
// A worker opens an object by its name, with the context of its job,
//
//	results, err := manager.Queue[Result](ctx, "results")
//	err = results.Put(ctx, r)
//
// or receives it in its argument, as a *queue.Queue[Result]: a reference travels.
// Either way it is the same type as an object in memory, and has the same methods.
// A goroutine of the supervisor opens objects with the context of [With].
//
// An acquire, a get, a put into a bounded queue take one round trip to the
// supervisor; the release of what one holds and a put into an unbounded queue
// take none, but for the first put of a process. A call that has to wait delays no other one.
package manager
