package pool

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// Future is the result to come of a submitted task (concurrent.futures.Future).
// Its methods may be called by many goroutines at once.
type Future[Out any] struct {
	p     *Pool
	job   Job
	task  func([]byte) (Out, error)
	mu    sync.Mutex
	done  chan struct{} // made when somebody waits
	then  *callback     // called once it has ended, by the goroutine that ended it
	value []byte
	err   error
	room  [71]byte // for a short argument, and then for a short result; the whole has 512 bytes
	ended bool
}

// callback is a function that waits for the end of a future, in a list.
type callback struct {
	call func()
	next *callback
}

// Submit gives a task to the pool and returns its future, without waiting for a
// slot (Executor.submit). The argument is encoded before it returns, so that it
// is a snapshot; an argument that does not encode, ErrClosed, ErrJob and the cause
// of a ctx that has ended are returned here. The caller bounds how many futures are
// open.
//
// ctx is the submission's: when it ends before the job does, the job is
// cancelled. A context that cannot end costs nothing.
func Submit[In, Out any](ctx context.Context, p *Pool, t task.Task[In, Out], in In, opts ...Option) (*Future[Out], error) {
	return submit(ctx, p, t, in, opts, false)
}

func submit[In, Out any](ctx context.Context, p *Pool, t task.Task[In, Out], in In, opts []Option, leads bool) (*Future[Out], error) {
	f := &Future[Out]{p: p, task: t.Decoder()}
	j := &f.job
	err := j.optioned(p, opts)
	if err != nil {
		return nil, err
	}
	if j.Payload, err = t.EncodeIn(f.buffer(lengthOf(&in)), in); err != nil {
		return nil, err
	}
	j.Task = t.Name()
	j.future = f
	j.pending.leads = leads
	if ctx.Done() != nil {
		err = f.submitUnder(ctx)
	} else {
		err = p.Go(j)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// submitUnder submits a job that ends with ctx.
func (f *Future[Out]) submitUnder(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p, j := f.p, &f.job
	stop := context.AfterFunc(ctx, func() { p.Cancel(j) })
	j.future = nil
	j.Done = func(j *Job, r *Result) {
		stop()
		f.end(j, r)
	}
	if err := p.Go(j); err != nil {
		stop()
		return err
	}
	if ctx.Err() != nil {
		p.Cancel(j) // it may have ended before the pool knew the job
	}
	return nil
}

// lengthOf is how many bytes an argument has, 0 if that is not known.
func lengthOf[In any](in *In) int {
	if b, ok := any(in).(*[]byte); ok { // the argument itself would be copied to the heap
		return len(*b)
	}
	return 0
}

// buffer returns where to encode an argument of n bytes.
func (f *Future[Out]) buffer(n int) []byte {
	switch {
	case n > ipc.MaxInline:
		return ipc.Spare(uint64(n))
	case n > cap(f.room)-5:
		return make([]byte, 0, n+5)
	}
	return f.room[:0]
}

// Call is Submit and Result: the function call, in another process
// (Pool.apply). The end of ctx cancels the job.
func Call[In, Out any](ctx context.Context, p *Pool, t task.Task[In, Out], in In, opts ...Option) (Out, error) {
	if ctx.Err() != nil {
		var none Out
		return none, context.Cause(ctx)
	}
	f, err := submit(context.Background(), p, t, in, opts, true)
	if err != nil {
		var none Out
		return none, err
	}
	p.lead(ctx, &f.job)
	if err = f.wait(ctx); err != nil {
		f.Cancel()
		var none Out
		return none, err
	}
	return f.take(t.AdoptOut)
}

// take is outcome for a future that nobody else knows: a long result need not be
// copied, and the buffers of one that has ended well are given away.
func (f *Future[Out]) take(adopt func([]byte) (Out, bool, error)) (out Out, err error) {
	if len(f.value) <= ipc.MaxInline {
		out, err = f.outcome()
	} else {
		kept := false
		if out, kept, err = adopt(f.value); err != nil {
			err = f.misfit(err)
		}
		if err == nil && !kept {
			ipc.Recycle(f.value)
		}
	}
	if err == nil && len(f.job.Payload) > ipc.MaxInline && !f.job.beingWritten() {
		ipc.Recycle(f.job.Payload)
	}
	return out, err
}

// end takes the result from the pool.
func (f *Future[Out]) end(j *Job, r *Result) {
	f.p.stdout.copy(&r.Stdout)
	f.p.stderr.copy(&r.Stderr)
	if err := r.Err(j); err != nil {
		f.settle(nil, err)
		return
	}
	f.endWith(j, r.Value)
}

func (f *Future[Out]) endWith(j *Job, value []byte) {
	if len(value) <= ipc.MaxInline {
		// It is in the link's buffer; a long one is not. The argument was copied
		// into a frame, if it is short.
		room := f.room[:0]
		if j.beingWritten() {
			room = nil
		}
		value = append(room, value...)
	}
	f.settle(value, nil)
}

// settle wakes and calls who waits for the end.
func (f *Future[Out]) settle(value []byte, err error) {
	f.mu.Lock()
	f.value, f.err, f.ended = value, err, true
	if f.done != nil {
		close(f.done)
	}
	then := f.then
	f.then = nil
	f.mu.Unlock()
	for ; then != nil; then = then.next {
		then.call()
	}
}

// whenEnded has f called once the future has ended, at once if it has: it must not
// block, nor panic. The function that it returns takes it back.
func (f *Future[Out]) whenEnded(call func()) (forget func()) {
	f.mu.Lock()
	if f.ended {
		f.mu.Unlock()
		call()
		return func() {}
	}
	own := &callback{call, f.then}
	f.then = own
	f.mu.Unlock()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for c := &f.then; *c != nil; c = &(*c).next {
			if *c == own {
				*c = own.next
				return
			}
		}
	}
}

// Done returns a channel that is closed when the result is there
// (Future.done).
func (f *Future[Out]) Done() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done == nil {
		f.done = make(chan struct{})
		if f.ended {
			close(f.done)
		}
	}
	return f.done
}

// Result waits for the result and returns it (Future.result). Errors: a
// *TaskError for what the task returned or panicked with, a *WorkerLostError
// when the worker ended under it, a *TimeoutError, one that is ErrCancelled or
// ErrRestartLimit; or the context's, and then the job goes on.
func (f *Future[Out]) Result(ctx context.Context) (Out, error) {
	if err := f.wait(ctx); err != nil {
		var none Out
		return none, err
	}
	return f.outcome()
}

// wait returns when the future has ended; the error is the end of ctx before that.
func (f *Future[Out]) wait(ctx context.Context) error {
	f.mu.Lock()
	ended := f.ended
	f.mu.Unlock()
	if ended {
		return nil
	}
	select {
	case <-f.Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// outcome decodes the result of a future that has ended.
func (f *Future[Out]) outcome() (out Out, err error) {
	if f.err != nil {
		return out, f.err
	}
	if out, err = f.task(f.value); err != nil {
		return out, f.misfit(err)
	}
	return out, nil
}

// misfit is the error of a result that does not decode.
func (f *Future[Out]) misfit(err error) error {
	return fmt.Errorf("result of %s: %w", label(&f.job), err)
}

// Err returns the error of a job that has ended in any way but well, and nil while
// it has not ended: it does not wait (Future.exception, without waiting). A result
// that does not decode is an error of Result alone.
func (f *Future[Out]) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// OnDone has call called with the result, once it is there, on a goroutine of its
// own: a call that blocks holds up nothing, one that panics is written to the log
// of the pool, or to its Stderr if it has no Logger (Future.add_done_callback; the
// order of several is not defined). Close does not wait for it.
func (f *Future[Out]) OnDone(call func(Out, error)) {
	f.whenEnded(func() {
		go func() {
			defer func() { f.p.survive(label(&f.job), recover()) }()
			call(f.outcome())
		}()
	})
}

// Cancel asks for the job to be taken back or interrupted, and says what it found;
// Done tells when it has ended, Result how: with ErrCancelled, unless another end
// came first. What has ended stays as it is.
func (f *Future[Out]) Cancel() CancelState { return f.p.Cancel(&f.job) }

// survive tells of a panic of the user's callback, which does not end the program.
// nil is none.
func (p *Pool) survive(job string, v any) {
	if v == nil {
		return
	}
	stack := debug.Stack()
	if p.cfg.ownLogger {
		p.log.Error("callback panicked", "job", job, "panic", v, "stack", string(stack))
		return
	}
	p.stderr.print(fmt.Sprintf("pool: callback of %s panicked: %v\n\n%s", job, v, stack))
}
