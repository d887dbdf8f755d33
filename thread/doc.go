// Package thread gives a goroutine the life of a thread: a name, a start, an
// outcome that anybody may join, and an owner of locks that ends with it. It is
// Thread of Python's threading.
//
// The one idea: a thread is a value with one life, the same as that of a process
// in package process, so that the same work can be run under either. A panic
// does not end the program; it comes back from Join, with its stack.
//
//	t := thread.New(func(ctx context.Context) error {
//		return resize(ctx, photo)
//	})
//	if err := t.Start(ctx); err != nil {
//		return err
//	}
//	err := t.Join(ctx) // nil, or an *ExitError
//
// # Life of a thread
//
//	      Start            function returns           Close
//	new ─────────▶ alive ───────────────────▶ ended ───────────▶ closed
//	 └─────────────────────────── Close ──────────────────────────▲
//
// Start may be called once. The context given to Start is the lifetime: the
// function's context is derived from it, so that values and its end are passed
// on. Those given to Join bound the waiting alone.
//
// A goroutine cannot be ended from outside. Terminate, Interrupt and the end of
// the lifetime cancel the function's context, and it is up to the function to
// return; Kill is refused. What has to be ended in any case belongs in a process.
//
// # Locks
//
// The function's context carries an owner of its own. What the thread holds when
// it ends, in whatever way, is released, and marked as abandoned for the next
// one. A Join whose context has an owner is a wait like that for a lock: one that
// would close a cycle returns a *DeadlockError at once. With a context that is
// not derived from that of a thread, a job or process.Main nothing is detected.
//
// # Costs
//
// Start and Join take about two microseconds more than a goroutine and a channel.
// Threads share memory, and one that exhausts it, overflows its stack or writes
// to a map at the same time as another ends the program with all of them.
package thread
