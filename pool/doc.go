// Package pool runs jobs in warm worker processes, and commands in process trees
// of their own, so that what a job does to its process it does to itself alone
// (Python: multiprocessing.Pool, concurrent.futures.ProcessPoolExecutor).
//
// The one idea: every worker has a private pair of pipes, all state that is
// shared lives in this process, and the end of a pipe is the death of its owner.
// So a worker that dies, however, costs the job that it had started: those that
// had been sent ahead go elsewhere, and those that it had finished keep their
// results, because the worker stores both facts in memory that it shares.
//
//	var square = task.Define("square", func(ctx context.Context, n int) (int, error) {
//		return n * n, nil
//	})
//
//	func main() {
//		worker.Init() // returns in this process, never in a worker
//		p, err := pool.New(context.Background(), pool.Config{Workers: 4})
//		…
//		defer p.Close()
//		nine, err := pool.Call(ctx, p, square, 3)
//	}
//
// A class is all workers that run the same program with the same environment and
// working directory. Slots are shared among the classes and the commands; a
// class keeps the slots that it has while it has work, unless another has waited
// for a while.
//
// A worker holds more jobs than it runs, as many as it needs to be busy during a
// round trip: hundreds when they take microseconds, one when they take longer.
// Jobs that turn out to wait behind a long one are taken back.
//
// Exactly one Result ends a job. With Retry the function may run more than once,
// and Job.Key is there for idempotency; without it, at most once.
package pool
