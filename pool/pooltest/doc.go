// Package pooltest lets workers fail where a test wants them to: it answers how a
// program behaves when a worker dies while it encodes its result, or before it is
// ready, or when nothing has been asked of it. It is for test binaries, which have
// to call worker.Init in their TestMain as for any pool:
//
//	func TestMain(m *testing.M) {
//		worker.Init()
//		os.Exit(m.Run())
//	}
//
//	func TestReport_SaysWhatWasLost(t *testing.T) {
//		pooltest.NoLeaks(t)
//		p, err := pool.New(t.Context(), pool.Config{Workers: 2})
//		…
//		f, err := pool.Submit(t.Context(), p, pooltest.Faulty, pooltest.Fault{
//			At: pooltest.EncodeResult, By: pooltest.Signal(syscall.SIGSEGV), Size: 1 << 20,
//		})
//
// [Faulty] is a task like any other. Its argument says at which stage of the job
// what shall happen; the zero [Fault] is a job that is right. Where a program takes
// the task from outside, the same is a pool.Job with Task Faulty.Name(). As the
// task of a Program.Init it makes that fail.
//
// What the error of the job's future is:
//
//	At                                   By                    error
//	DecodeArgument Function EncodeResult Error, Panic, Goexit  *pool.TaskError; the worker goes on
//	the same                             Exit, Signal          *pool.WorkerLostError with ExitCode or Signal
//	Function                             Hang                  none of its own: *pool.TimeoutError, or pool.ErrCancelled
//	DecodeArgument Function EncodeResult Stuck, Freeze         the same, once the worker was killed for it;
//	                                                           of Freeze also pool.WhichStuck, with StuckAfter
//	AfterResult                          Panic, Exit, Signal   none; the worker is lost
//	AfterResult                          Freeze                none; the next job of this worker never ends by itself
//	DecodeResult                         Error, Panic          *task.ValueError, from Future.Result
//
// A TaskError's Failure tells the stage and whether it was a panic; errors.Is
// finds [ErrFault] in it, and in a ValueError.
//
// What happens outside of a job is the program's: [Program] is this test binary
// with a fault at its start.
package pooltest
