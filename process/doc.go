// Package process runs a task, or a command, in a process of its own: what
// Process is in Python's multiprocessing.
//
// The one idea: a process is a value with one life, from New or Command over
// Start to Join. Its end is an event (Done) with one outcome, which everybody
// who joins gets: nil, or an *ExitError that says how it ended and what it said
// last. Nothing outlives it: with a process ends the whole tree of processes
// below it, also those that have left its session.
//
//	var Square = task.Define("square", func(_ context.Context, n int) (int, error) {
//		return n * n, nil
//	})
//
//	func main() {
//		process.Main(func(ctx context.Context) error { // in a child this runs the task
//			c := process.New(Square, 12)
//			if err := c.Start(ctx); err != nil {
//				return err
//			}
//			n, err := c.Result(ctx)
//			…
//		})
//	}
//
// A task runs in the same program, which is executed again; the argument is
// encoded by Start, so that it is a snapshot. No memory is shared. An object with
// a Run method can travel in the place of a task and its argument: DefineRunner.
//
// Main takes care of signals, of daemons and of the exit code. A program whose
// main function is its own calls worker.Init first in it instead. One that does
// neither gets ErrNoMain.
//
// # Life of a process
//
//	      Start                 process ends            Close
//	new ─────────▶ alive ───────────────────▶ ended ───────────▶ closed
//	 └──────────────────────────── Close ──────────────────────────▲
//
// Start may be called once. If it returns an error, nothing was started, and it
// may be called again. The context given to Start is the process's lifetime:
// when that ends, the tree gets SIGTERM, and SIGKILL some seconds later. Those
// given to Join and Result bound the waiting alone.
//
// A process that a task starts with the task's context as its lifetime ends with
// the task. One with a longer lifetime ends with the task's process, for which
// nobody waits: unlike in Python, a child does not join its own children at its
// end, so a task that wants theirs has to join them.
//
// # Waiting and locks
//
// A Join whose context has an owner (that of a task, a thread, or Main) is a wait
// like that for a lock: one that would close a cycle, because the process's task
// waits for a lock that this owner holds, returns a *DeadlockError at once.
//
// # Output
//
// The process writes to this program's stdout and stderr, as in Python, if no
// option says otherwise. stderr goes through a pipe, since its end is kept for
// the ExitError: the order between the two streams is not kept, and stderr is
// never a terminal there. What a task logs with worker.Logger goes to this
// program's default logger, or that of WithLogger; its worker.Progress to the
// function of WithProgress.
//
// # Costs
//
// A process costs a few milliseconds to start, most of it the program's own
// initialisation. The first Start of a program also starts its guardian, the
// parent of all its processes, which ends with the program. For many small jobs
// use package pool, whose workers stay.
//
// Off Linux there is no guardian, and of a tree only the process group (on
// Windows: only the process) is ended; a descendant that gets away with the
// output open holds up Done.
package process
