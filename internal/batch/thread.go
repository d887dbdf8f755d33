package batch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// thread is an instance on its way.
type thread struct {
	t    *Threads
	plan *plan
	in   *Instance
	o    Observer
	job  pool.Job // of a command
	cmd  pool.Command
	// Guarded by Threads.mu.
	state     threadState
	cancelled bool
	attempt   int           // that is under way, or was the last; 0: none has begun
	slot      int           // of it
	gone      chan struct{} // closed when it is over, if it is a command's
	begin     time.Time
	owner     *owner.Owner
	cancel    context.CancelCauseFunc
	why       pool.Outcome // it was asked to end for; "" = it was not
	timer     *time.Timer  // of its timeout; then of its end; or until another attempt
}

type threadState uint8

const (
	threadQueued  threadState = iota // or taken back from there
	threadTask                       // runs here
	threadCommand                    // runs in the pool
	threadWaiting                    // for the time of another attempt
	threadEnding                     // somebody tells how its attempt came out
)

// run is one attempt. It reports false when this goroutine has no slot any more.
func (x *thread) run() bool {
	t := x.t
	if x.o.Halting() {
		x.unbegun("halted before another attempt")
		return true
	}
	if x.in.Job.Kind == config.Task {
		return x.call()
	}
	t.mu.Lock()
	begun := !x.cancelled && !t.killed
	gone := make(chan struct{})
	if begun {
		x.state, x.gone = threadCommand, gone
		x.attempt++
	}
	t.mu.Unlock()
	if !begun || t.commands.pool.Go(&x.job) != nil {
		if begun {
			x.attempt--
		}
		x.unbegun("cancelled between two attempts")
		return true
	}
	t.mu.Lock()
	missed := x.cancelled && x.state == threadCommand // maybe before the pool knew of it
	t.mu.Unlock()
	if missed {
		t.commands.pool.Cancel(&x.job)
	}
	<-gone
	return true
}

// unbegun ends an instance whose first attempt was not begun, or for the given
// reason a further one was not.
func (x *thread) unbegun(why string) {
	if x.attempt == 0 {
		x.o.Dropped(x.in)
	} else {
		x.o.Done(x.in, &pool.Result{Outcome: pool.Cancelled, Evidence: why, ExitCode: -1, Attempt: x.attempt})
	}
	x.t.open.Done()
}

// call runs a task. It reports false if that was given up meanwhile: then another
// goroutine serves the slot.
func (x *thread) call() (mine bool) {
	t := x.t
	slot, attempt := x.slot, x.attempt+1
	payload, err := x.plan.payload(x.in, attempt, slot)
	if err != nil {
		x.attempt = attempt
		x.ended(&pool.Result{Outcome: pool.Failed, Which: pool.WhichInput, Evidence: err.Error()})
		return true
	}
	label := x.in.Label()
	who := owner.New(owner.Identity{Name: "job " + label, PID: t.pid, Job: label})
	ctx, cancel := context.WithCancelCause(owner.With(t.base, who))
	defer cancel(nil)
	t.mu.Lock()
	x.state, x.attempt, x.begin, x.owner, x.cancel = threadTask, attempt, time.Now(), who, cancel
	if x.plan.timeout > 0 {
		x.timer = time.AfterFunc(x.plan.timeout, func() { x.interrupt(attempt, pool.TimedOut, worker.ErrTimeout) })
	}
	late := x.cancelled || t.killed
	t.mu.Unlock()
	if late {
		x.interrupt(attempt, pool.Cancelled, worker.ErrCancelled)
	}
	x.o.Started(x.in, Attempt{Number: attempt, Slot: slot, PID: t.pid})

	var value []byte
	err = &task.StageError{Task: x.in.Job.Task, Stage: task.StageFunction, Err: task.ErrGoexit} // unless it returns
	returned := false
	defer func() {
		t.end(who, err)
		if mine = x.claim(attempt); !mine {
			return
		}
		r := result(value, err)
		x.judge(r)
		x.ended(r)
		if !returned {
			go t.serve(slot) // the task has taken this goroutine with it
		}
	}()
	def, _ := task.Lookup(x.in.Job.Task)
	value, err = def.RunInPlace(ctx, payload, nil)
	if len(value) > ipc.MaxMessage {
		err = &task.StageError{Task: x.in.Job.Task, Stage: task.StageResult,
			Err: fmt.Errorf("%d bytes, at most %d are taken: %w", len(value), ipc.MaxMessage, worker.ErrResultTooLarge)}
	}
	returned = true
	return
}

// end ends the owner that a task was, and logs what it has left behind.
func (t *Threads) end(who *owner.Owner, cause error) {
	for _, p := range who.Parties() {
		if held, ok := p.(interface{ Resource() string }); ok {
			t.log.Warn("abandoned", "object", held.Resource(), "owner", who.Identity().String(), "cause", cause)
		}
	}
	who.End(cause)
}

// claim makes the caller the one who tells the end of an attempt of a task.
func (x *thread) claim(attempt int) bool {
	x.t.mu.Lock()
	defer x.t.mu.Unlock()
	if x.state != threadTask || x.attempt != attempt {
		return false
	}
	x.state = threadEnding
	if x.timer != nil {
		x.timer.Stop()
		x.timer = nil
	}
	return true
}

// interrupt asks a task to end, and gives it up after a while.
func (x *thread) interrupt(attempt int, why pool.Outcome, cause error) {
	x.t.mu.Lock()
	defer x.t.mu.Unlock()
	if x.state != threadTask || x.attempt != attempt || x.why != "" {
		return
	}
	if x.timer != nil {
		x.timer.Stop()
	}
	x.why = why
	x.cancel(cause)
	x.timer = time.AfterFunc(x.plan.killAfter, func() { x.giveUp(attempt) })
}

// giveUp ends the instance of a task that does not, and gives its slot to another
// goroutine.
func (x *thread) giveUp(attempt int) {
	if !x.claim(attempt) {
		return
	}
	x.t.end(x.owner, worker.ErrCancelled)
	r := &pool.Result{}
	x.judge(r)
	r.Evidence += "; a goroutine cannot be killed, and this one may go on"
	slot := x.slot
	x.ended(r)
	x.t.serve(slot)
}

// result is what a task came to by itself.
func result(value []byte, err error) *pool.Result {
	if err == nil {
		return &pool.Result{Outcome: pool.OK, Value: value}
	}
	f := task.NewFailure(err)
	r := &pool.Result{Outcome: pool.Failed, Failure: f, Evidence: text.FirstLine(f.Error())}
	if f.Panic {
		r.Which = pool.WhichPanic
	}
	return r
}

// judge lets what was done to a task win over what it returned, but for a value
// that came although it was cancelled.
func (x *thread) judge(r *pool.Result) {
	r.Start, r.Wall = x.begin, time.Since(x.begin)
	switch {
	case x.why == pool.TimedOut:
		r.Outcome, r.Which = x.why, ""
		r.Evidence = fmt.Sprintf("did not end within its timeout of %v", x.plan.timeout)
	case x.why == pool.Cancelled && r.Outcome != pool.OK:
		r.Outcome, r.Which, r.Evidence = x.why, "", "interrupted"
	}
}

// ended tells the end of an attempt, or has another one follow. Of a task it
// completes the result.
func (x *thread) ended(r *pool.Result) {
	t, retry := x.t, &x.in.Job.Retry
	r.Attempt, r.Slot = x.attempt, x.slot
	if x.in.Job.Kind == config.Task {
		r.PID, r.ExitCode = t.pid, -1
	}
	t.mu.Lock()
	over := x.cancelled || t.killed
	t.mu.Unlock()
	if r.Outcome == pool.OK || r.Outcome == pool.Cancelled || over || x.attempt > retry.Max ||
		x.o.Halting() || !retry.Matches(string(r.Outcome), r.ExitCode >= 0, r.ExitCode, r.Signal) {
		x.o.Done(x.in, r)
		t.open.Done()
		return
	}
	after := retry.Delay(x.attempt, rand.Float64())
	x.o.Retrying(x.in, r, after)
	t.mu.Lock()
	if over = x.cancelled || t.killed; !over {
		x.state = threadWaiting
		t.waiting[x] = struct{}{}
		x.timer = time.AfterFunc(after, x.again)
	}
	t.mu.Unlock()
	if over {
		x.unbegun("cancelled between two attempts")
	}
}

// again lets x wait for a slot, when it has waited for the time of an attempt, or
// asks whether it may.
func (x *thread) again() {
	x.t.mu.Lock()
	waits := x.state == threadWaiting
	if waits && !x.in.Gated() {
		delete(x.t.waiting, x)
		x.timer = nil
		x.t.enqueue(x)
	}
	x.t.mu.Unlock()
	if waits && x.in.Gated() {
		x.o.Again(x.in)
	}
}

// takeBack takes back what has no attempt under way. The caller holds mu, and
// calls unbegun afterwards.
func (x *thread) takeBack() bool {
	switch x.state {
	case threadWaiting:
		x.timer.Stop()
		delete(x.t.waiting, x)
	case threadQueued:
	default:
		return false
	}
	x.state = threadEnding
	return true
}

// prepareCommand, startedCommand and doneCommand are what the pool calls for the
// one attempt that a command's job is here: attempts and slots are counted by
// Threads, of which the pool has as many.
func prepareCommand(j *pool.Job, _, _ int) error {
	x := j.Tag.(*thread)
	if x.o.Halting() {
		x.why = pool.Cancelled
		return errHalted
	}
	return x.plan.process(j.Command, x.in, x.attempt, x.slot)
}

func startedCommand(j *pool.Job, _, _ int, _ string, pid int) {
	x := j.Tag.(*thread)
	x.o.Started(x.in, Attempt{Number: x.attempt, Slot: x.slot, PID: pid})
}

func doneCommand(j *pool.Job, r *pool.Result) {
	x := j.Tag.(*thread)
	x.t.mu.Lock()
	x.state = threadEnding
	defer close(x.gone)
	unbegun := x.why != "" || r.Outcome == pool.Cancelled && r.Evidence == unstarted
	if unbegun {
		x.attempt--
	}
	x.t.mu.Unlock()
	if unbegun {
		x.unbegun("halted before another attempt")
	} else {
		x.ended(r)
	}
}
