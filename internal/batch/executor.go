package batch

import (
	"context"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/pool"
)

// Executor runs instances somewhere: in processes of this machine (OpenLocal), as
// goroutines of this process (OpenThreads) or elsewhere. All methods may be called by many goroutines at once.
type Executor interface {
	// Tasks returns the names of the tasks that the workers of a job know. It
	// starts one if it has to, and waits for it.
	Tasks(ctx context.Context, j *config.Job) ([]string, error)

	// Watch has the start and the end of workers told. It is called before
	// anything else, and watch does not block.
	Watch(watch func(pool.WorkerEvent))

	// Submit takes an instance over and returns; it waits for no slot. Exactly one
	// of o.Done and o.Dropped will be called for it, unless an error is returned.
	Submit(in *Instance, o Observer) error

	// Again lets an instance go on with another attempt, for which the observer was
	// asked. It does not wait.
	Again(in *Instance)

	// Cancel takes an instance back if it has not started, and interrupts it if it
	// has. It does not wait, and o.Done or o.Dropped is still called.
	Cancel(in *Instance)

	// Kill ends all instances at once. It does not wait.
	Kill()

	// Close waits until everything that the executor has started has ended. It
	// kills what is left when ctx is over.
	Close(ctx context.Context) Closing
}

// Closing is what an executor has to say at its end.
type Closing struct {
	WorkersLost int   // workers that ended unasked
	Leaked      []int // processes that could not be ended
	// Final says that Leaked is all that is left of anything: what instances had to leave
	// behind has ended since, or is among them.
	Final     bool
	Isolation []string // how instances were kept apart: thread, process
}

// Observer is told what becomes of instances. Its methods may be called from
// many goroutines at once, in order for each instance.
type Observer interface {
	// Halting is asked before every attempt, and before a failed one is followed
	// by another. While it is true none is started.
	Halting() bool
	// Started: an attempt was given to a worker, or its process has been started.
	// It does not block.
	Started(in *Instance, a Attempt)
	// Output: an attempt has written p, which is valid during the call. Both streams
	// are told of in order, and all of it before the attempt's end. It may block, and
	// then holds up that attempt. Asked only for instances that are Watched.
	Output(in *Instance, stderr bool, p []byte)
	// Retrying: the attempt r will be followed by another one after some time. It
	// does not block; r is valid during the call.
	Retrying(in *Instance, r *pool.Result, after time.Duration)
	// Again: the time before another attempt is over. It begins when the executor is
	// told so. Asked only for instances whose job is Gated.
	Again(in *Instance)
	// Done: the instance has ended with r, which is valid during the call. It may
	// block, and should hold up nothing but what produces more results.
	Done(in *Instance, r *pool.Result)
	// Dropped: the instance was taken back before any attempt had started.
	Dropped(in *Instance)
}

// Attempt is a try that begins.
type Attempt struct {
	Number int // from 1
	Slot   int // from 1
	Worker string
	PID    int
}
