package worker

import (
	"fmt"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// scratchMax is the largest buffer that a runner keeps between jobs.
const scratchMax = 2 << 20

// runner executes jobs one after the other, on the goroutine of one slot.
type runner struct {
	*server
	slot    int
	flush   func()
	job     *job // that runs, nil between two
	context *jobContext
	items   itemsRun
	silent  bool            // the job cannot have written to the output
	call    task.Invocation // of a job that has one argument
	result  []byte          // the task's encoded result, but for what call has of it
	frame   []byte
}

// run executes jobs until there are no more, and then calls ended.
func (r *runner) run(ended func()) {
	over := false
	defer func() {
		if over {
			ended()
			return
		}
		// The task has called runtime.Goexit: it has failed, and has taken this
		// goroutine with it.
		if r.items.going {
			r.items.Exited()
		} else {
			r.finish(&task.StageError{Task: r.job.task, Stage: task.StageFunction, Err: task.ErrGoexit})
		}
		go r.run(ended)
	}()
	if r.items.going {
		r.finish(r.runItems())
	}
	for {
		r.job, r.context = r.queue.take(r.slot, r.job, r.flush)
		if r.job == nil {
			over = true
			return
		}
		r.finish(r.execute())
	}
}

func (r *runner) execute() error {
	j := r.job
	if r.page != nil {
		r.page.SetItem(r.slot, 0) // first: what it says is of the job that has started
		r.page.SetStarted(r.slot, j.id)
	}
	r.grant(j.credit)
	if j.def == nil {
		return &task.StageError{Task: j.task, Stage: task.StageArgument, Err: fmt.Errorf("task %q: %w", j.task, ErrUnknownTask)}
	}
	if j.items > 0 {
		return r.startItems()
	}
	begun := sinceEpoch()
	result, err := r.call.Run(r.context, j.def, j.payload, r.result[:0], j.owned)
	r.silent = r.threads == 1 && r.offsets.untouched(begun)
	r.result = result
	return err
}

// finish answers the job with its result, or with err.
func (r *runner) finish(err error) {
	c := r.context
	status := ipc.StatusOK
	if n := uint64(len(r.result) + len(r.call.Tail)); err == nil && n > r.messageMax {
		err = &task.StageError{Task: c.info.Task, Stage: task.StageResult,
			Err: fmt.Errorf("%d bytes, at most %d are taken: %w", n, r.messageMax, ErrResultTooLarge)}
		status = ipc.StatusFailed
	} else if err != nil {
		status = ipc.StatusFailed
		if c.cancelled() {
			status = ipc.StatusCancelled
		}
	}
	if err != nil {
		r.result, r.call.Tail = task.NewFailure(err).Append(r.result[:0]), nil
	}
	if r.job.owned && !r.call.Kept {
		ipc.Recycle(r.job.payload)
	}
	c.end(errAnswered)
	c.release(err)
	r.answer(c, status)
	r.call = task.Invocation{}
	if cap(r.result) > scratchMax {
		r.result = nil
	}
}

// errAnswered is with what the context of a job ends when its function has
// returned; nobody waits for it any more.
var errAnswered error = cancellation("job has ended")

// answer sends the result. What goes wrong here is the link's end, of which the
// server learns elsewhere.
func (r *runner) answer(c *jobContext, status ipc.Status) {
	id := c.info.ID
	inline := len(r.result)+len(r.call.Tail) <= ipc.MaxInline
	if inline {
		if r.credit.take(len(r.result), r.server) != nil {
			return
		}
	} else {
		r.chunking.Lock()
		defer r.chunking.Unlock()
	}
	if r.send(c, status) != nil || inline {
		return
	}
	// That it cannot be sent is the link's end.
	_ = r.sendLong(id, r.result, r.call.Tail)
}

// send puts the frame of the answer into the outbox.
func (r *runner) send(c *jobContext, status ipc.Status) error {
	if r.threads > 1 {
		r.telling.Lock() // offsets go out in the order in which they were read
		defer r.telling.Unlock()
	}
	id := c.info.ID
	frame := append(r.frame[:0], 0, 0, 0, 0)
	var stdout, stderr uint64
	moved := false
	if !r.silent {
		stdout, stderr, moved = r.offsets.moved()
	}
	r.silent = false
	size := len(r.result) + len(r.call.Tail)
	switch {
	case size > ipc.MaxInline && moved:
		frame = ipc.AppendResultSizeOffsets(frame, id, status, size, stdout, stderr)
	case size > ipc.MaxInline:
		frame = ipc.AppendResultSize(frame, id, status, size)
	case moved:
		frame = ipc.AppendResultOffsets(frame, id, status, r.result, stdout, stderr)
	default:
		frame = ipc.AppendResult(frame, id, status, r.result)
	}
	r.frame = frame
	return r.out.put(sealed(frame), c, true)
}
