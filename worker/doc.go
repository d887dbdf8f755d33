// Package worker is what a worker program links: it serves a supervisor's jobs
// with the tasks that the program has defined.
//
// A program that is only a worker calls Main. Any other program that starts
// workers of itself calls Init first thing in its main, and in TestMain:
//
//	var Resize = task.Define("resize", func(ctx context.Context, in Image) (Thumb, error) {
//		worker.Logger(ctx).Info("resizing", "path", in.Path)
//		…
//	})
//
//	func main() {
//		worker.Init() // in a child this serves, and never returns
//		…
//	}
//
// The one idea: a job is finished when its result stands in memory that the
// supervisor can read too (see ipc.Page), not when it has gone through the pipe.
// So results travel many to a write, and the death of the process, at whatever
// moment, loses none of them.
//
// # Life of a worker
//
// A worker answers hello with ready and then runs jobs in the order in which
// they came. It ends
//
//   - after a stop frame: when every job that it has received is answered;
//     exit code 0
//   - at the end of its input, because the supervisor is gone or has closed the
//     link: running functions see their contexts cancelled and have one second;
//     exit code 0
//   - at SIGTERM: running functions see their contexts cancelled and have as
//     long as they need, what had not started is handed back; exit code 0.
//     SIGINT does nothing: a terminal sends it to the supervisor as well, and
//     that decides
//   - at SIGQUIT: it writes the stacks of its goroutines to stderr, those of its jobs
//     last; exit code 2. A supervisor sends that before it kills a worker that hangs
//   - after a frame that breaks the protocol: at once, with a line on stderr;
//     exit code 3.
//
// A task that panics has failed. A panic on a goroutine that a task has started
// ends the process, as in any Go program, and so does os.Exit.
//
// # Shared objects
//
// The contexts of jobs lead to the queues, locks and other objects of the
// supervisor, which package manager opens by their names; so does, for goroutines
// of other contexts, the process itself. A job is an owner of what it acquires: when
// its function has returned, in whatever way, that is given back, and whoever gets
// it next is told.
//
// # Output
//
// What a program prints goes to a file or pipe of the supervisor, never into the
// protocol: descriptor 1 is moved before almost all other code runs. It is
// attributed to the job after which the descriptor's write offset has moved.
// os.Stdout has no buffer; a C library linked in, or a bufio.Writer, has one, and
// must be flushed before the task returns.
package worker
