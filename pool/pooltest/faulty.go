package pooltest

import (
	"context"
	"os"
	"time"

	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// Reply is the result of [Faulty].
type Reply struct {
	Payload []byte // that of the fault
	PID     int    // of the worker
	Attempt int    // from 1

	fault Fault
}

// Faulty is the task that fails as its argument says.
var Faulty = task.Define("pooltest/faulty", func(ctx context.Context, f Fault) (Reply, error) {
	if f.At == AfterResult {
		context.AfterFunc(ctx, func() { // when the function has returned
			time.Sleep(afterResult)
			f.happen(context.Background(), AfterResult)
		})
	}
	if err := f.happen(ctx, Function); err != nil {
		return Reply{}, err
	}
	job, _ := worker.Current(ctx)
	return Reply{Payload: f.Payload(), PID: os.Getpid(), Attempt: job.Attempt, fault: f}, nil
})

// MarshalBinary is called in the worker: the stage EncodeResult.
func (r Reply) MarshalBinary() ([]byte, error) {
	if err := r.fault.happen(context.Background(), EncodeResult); err != nil {
		return nil, err
	}
	p := r.fault.parcel()
	p.Payload, p.PID, p.Attempt = r.Payload, r.PID, r.Attempt
	return task.Encode(nil, p)
}

// UnmarshalBinary is called in the test: the stage DecodeResult.
func (r *Reply) UnmarshalBinary(data []byte) error {
	var p parcel
	if err := task.Decode(data, &p); err != nil {
		return err
	}
	*r = Reply{Payload: p.Payload, PID: p.PID, Attempt: p.Attempt, fault: p.fault()}
	return r.fault.happen(context.Background(), DecodeResult)
}
