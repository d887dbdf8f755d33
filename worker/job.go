package worker

import (
	"context"
	"fmt"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// Job is what a task may know about the job that it runs for.
type Job struct {
	ID      uint64 // number of the job on this worker's link
	Name    string // what the supervisor calls it, such as "resize#12"; may be empty
	Key     string // idempotency key: the same for every attempt; may be empty
	Task    string // name of the task
	Attempt int    // from 1
}

// Current returns the job in whose function ctx, or a context that it was
// derived from, was received. ok is false in any other context.
func Current(ctx context.Context) (job Job, ok bool) {
	c := contextOf(ctx)
	if c == nil {
		return Job{}, false
	}
	return c.info, true
}

// Progress tells the supervisor how far the job of ctx is; v is encoded like a
// task's result, to at most 64 KiB. It does not wait for an answer, but it
// blocks while the supervisor does not keep up.
//
// Errors: ErrNoJob outside of a job, or after it was answered; those of
// task.Encode; ipc.ErrTooLarge; or that of the link when the supervisor is gone.
func Progress(ctx context.Context, v any) error {
	c := contextOf(ctx)
	if c == nil {
		return ErrNoJob
	}
	payload, err := task.Encode(nil, v)
	if err != nil {
		return fmt.Errorf("progress: %w", err)
	}
	if len(payload) > ipc.MaxInline {
		return fmt.Errorf("progress of %d bytes, at most %d: %w", len(payload), ipc.MaxInline, ipc.ErrTooLarge)
	}
	if err := c.srv.credit.take(len(payload), c.srv); err != nil {
		return err
	}
	frame := ipc.AppendProgress(make([]byte, frameHeader, len(payload)+32), c.info.ID, payload)
	if err := c.srv.out.put(sealed(frame), c, false); err != nil {
		c.srv.credit.add(uint64(len(payload)))
		return err
	}
	return nil
}
