package batch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// Threads runs the tasks of a file as goroutines of this process, so that they
// can be compared with workers: an error, a panic, a timeout and a cancel come out
// the same. What only a process can do is missing: a fatal error or a signal ends
// the whole run, what tasks print is nobody's in particular, they share one
// environment and one folder, and a task that does not heed its context cannot be
// ended. It is given up when it should be killed, and goes on in the background.
//
// Commands are processes all the same. Both count in the same slots.
type Threads struct {
	commands *Local           // nil: the file has none
	objects  *manager.Manager // that tasks open by name
	plans    map[*config.Job]*plan
	pid      int
	killing  chan struct{} // closed by Kill
	open     sync.WaitGroup

	mu     sync.Mutex
	queue  []*thread // wait for a slot, first come, first served
	free   []int     // slots, the lowest last
	killed bool
}

// OpenThreads makes the executor. cfg is for the commands, and its Workers are the
// slots of all instances. What FitsThreads finds is an error.
func OpenThreads(cfg pool.Config, f *config.File, s Settings) (*Threads, error) {
	if err := FitsThreads(f); err != nil {
		return nil, err
	}
	if cfg.Workers <= 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	t := &Threads{pid: os.Getpid(), killing: make(chan struct{})}
	if slices.ContainsFunc(f.Jobs, func(j *config.Job) bool { return j.Kind != config.Task }) {
		local, err := OpenLocal(cfg, f, s)
		if err != nil {
			return nil, err
		}
		t.commands, t.plans, t.objects = local, local.plans, local.objects
	} else {
		plans, err := newPlans(f, &s)
		if err != nil {
			return nil, err
		}
		t.plans = byJob(plans)
		if t.objects, err = openObjects(f); err != nil {
			return nil, err
		}
	}
	for slot := cfg.Workers; slot >= 1; slot-- {
		t.free = append(t.free, slot)
	}
	return t, nil
}

// FitsThreads finds what a file asks for that goroutines cannot give. An error is
// a config.Errors.
func FitsThreads(f *config.File) error {
	var bad config.Errors
	refuse := func(j *config.Job, format string, args ...any) {
		bad = append(bad, &config.Error{
			File: f.Path, Line: j.Pos.Line, Col: j.Pos.Col,
			Msg: fmt.Sprintf("job %s: ", j.ID) + fmt.Sprintf(format, args...),
		})
	}
	for _, j := range f.Jobs {
		if j.Kind != config.Task {
			continue
		}
		if j.Worker != nil && len(j.Worker.Command) > 0 {
			refuse(j, "worker %s is a program of its own, which cannot run as threads of the supervisor", j.Worker.Command[0])
		}
		if j.Cwd != nil {
			refuse(j, "cwd cannot hold for a thread: all of a process share one")
		}
	}
	if bad != nil {
		return bad
	}
	return nil
}

// Watch implements Executor. Only commands have processes, and no workers.
func (t *Threads) Watch(func(pool.WorkerEvent)) {}

// Tasks implements Executor.
func (t *Threads) Tasks(context.Context, *config.Job) ([]string, error) { return task.Names(), nil }

// thread is an instance on its way.
type thread struct {
	t     *Threads
	plan  *plan
	in    *Instance
	o     Observer
	job   pool.Job // of a command
	cmd   pool.Command
	asked chan struct{} // closed by Cancel

	// Guarded by Threads.mu, or the attempt's own while it is under way.
	queued    bool
	attempt   int // that is under way, or was the last; 0: none has begun
	slot      int // that it has
	halted    bool
	inPool    bool
	cancelled bool
}

// Submit implements Executor.
func (t *Threads) Submit(in *Instance, o Observer) error {
	x := &thread{t: t, plan: t.plans[in.Job], in: in, o: o, asked: make(chan struct{})}
	if in.Job.Kind != config.Task {
		x.job = pool.Job{
			Label: clip(in.Label(), ipc.MaxName), Command: &x.cmd, Tag: x,
			Timeout: x.plan.timeout, KillAfter: x.plan.killAfter,
			Prepare: prepareCommand, Started: startedCommand, Done: doneCommand,
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.killed {
		return pool.ErrClosed
	}
	in.Handle = x
	t.open.Add(1)
	t.enqueue(x)
	return nil
}

// enqueue lets x wait for a slot. The caller holds mu.
func (t *Threads) enqueue(x *thread) {
	x.queued = true
	t.queue = append(t.queue, x)
	t.dispatch()
}

// dispatch gives the free slots away. The caller holds mu.
func (t *Threads) dispatch() {
	for len(t.queue) > 0 && len(t.free) > 0 {
		x := t.queue[0]
		t.queue[0] = nil
		t.queue = t.queue[1:]
		if !x.queued {
			continue // it was taken back
		}
		x.queued = false
		x.slot = t.free[len(t.free)-1]
		t.free = t.free[:len(t.free)-1]
		go x.begin()
	}
}

// vacate gives x's slot to the next one.
func (t *Threads) vacate(x *thread) {
	t.mu.Lock()
	t.free = append(t.free, x.slot)
	t.dispatch()
	t.mu.Unlock()
}

// begin is one attempt, which has a slot.
func (x *thread) begin() {
	if x.o.Halting() {
		x.stillborn()
		x.t.vacate(x)
		return
	}
	x.attempt++
	if x.in.Job.Kind == config.Task {
		r := x.call()
		r.Attempt, r.Slot, r.PID, r.ExitCode = x.attempt, x.slot, x.t.pid, -1
		x.ended(r)
		x.t.vacate(x)
		return
	}
	x.t.mu.Lock()
	late := x.cancelled || x.t.killed
	x.inPool = !late
	x.t.mu.Unlock()
	if late || x.t.commands.pool.Go(&x.job) != nil {
		x.attempt--
		x.stillborn()
		x.t.vacate(x)
		return
	}
	x.t.mu.Lock()
	missed := x.cancelled && x.inPool // maybe before the pool knew of it
	x.t.mu.Unlock()
	if missed {
		x.t.commands.pool.Cancel(&x.job)
	}
}

// stillborn ends an instance of which no attempt, or no further one, was begun.
func (x *thread) stillborn() {
	if x.attempt == 0 {
		x.o.Dropped(x.in)
	} else {
		x.o.Done(x.in, &pool.Result{Outcome: pool.Cancelled, Evidence: "halted before another attempt", ExitCode: -1, Attempt: x.attempt})
	}
	x.t.open.Done()
}

// call runs the task on a goroutine of its own. When it was asked to end, and does
// not in time, its result is waited for no longer.
func (x *thread) call() *pool.Result {
	payload, err := x.plan.payload(x.in, x.attempt, x.slot)
	if err != nil {
		return &pool.Result{Outcome: pool.Failed, Which: pool.WhichInput, Evidence: err.Error()}
	}
	who := owner.New(owner.Identity{Name: "job " + x.in.Label(), PID: x.t.pid, Job: x.in.Label()})
	ctx, cancel := context.WithCancelCause(owner.With(manager.With(context.Background(), x.t.objects), who))
	defer cancel(nil)
	begin := time.Now()
	x.o.Started(x.in, Attempt{Number: x.attempt, Slot: x.slot, PID: x.t.pid})

	returned := make(chan *pool.Result, 1)
	go func() {
		var value []byte
		var err error = &task.StageError{Task: x.in.Job.Task, Stage: task.StageFunction, Err: task.ErrGoexit}
		defer func() {
			who.End(err)
			returned <- result(value, err)
		}()
		def, _ := task.Lookup(x.in.Job.Task)
		value, err = def.RunInPlace(ctx, payload, nil)
		if len(value) > ipc.MaxMessage {
			err = &task.StageError{Task: x.in.Job.Task, Stage: task.StageResult,
				Err: fmt.Errorf("%d bytes, at most %d are taken: %w", len(value), ipc.MaxMessage, worker.ErrResultTooLarge)}
		}
	}()
	var limit, grace <-chan time.Time
	if d := x.plan.timeout; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		limit = timer.C
	}
	asked := x.asked
	why := pool.OK
	end := func(o pool.Outcome, cause error) {
		limit, asked = nil, nil
		why = o
		cancel(cause)
		grace = time.After(x.plan.killAfter)
	}
	for {
		select {
		case r := <-returned:
			r.Start, r.Wall = begin, time.Since(begin)
			x.judge(r, why)
			return r
		case <-limit:
			end(pool.TimedOut, worker.ErrTimeout)
			continue
		case <-asked:
			end(pool.Cancelled, worker.ErrCancelled)
			continue
		case <-x.t.killing:
			if why == pool.OK {
				end(pool.Cancelled, worker.ErrCancelled)
			}
		case <-grace:
		}
		who.End(context.Cause(ctx))
		r := &pool.Result{Start: begin, Wall: time.Since(begin)}
		x.judge(r, why)
		r.Evidence += "; a goroutine cannot be killed, and this one may go on"
		return r
	}
}

// result is what a task came to by itself.
func result(value []byte, err error) *pool.Result {
	if err == nil {
		return &pool.Result{Outcome: pool.OK, Value: value}
	}
	f := task.NewFailure(err)
	r := &pool.Result{Outcome: pool.Failed, Failure: f, Evidence: firstLine(f.Error())}
	if f.Panic {
		r.Which = pool.WhichPanic
	}
	return r
}

// judge lets what was done to a task win over what it returned, but for a value
// that came although it was cancelled.
func (x *thread) judge(r *pool.Result, why pool.Outcome) {
	switch {
	case why == pool.TimedOut:
		r.Outcome, r.Which = why, ""
		r.Evidence = fmt.Sprintf("did not end within its timeout of %v", x.plan.timeout)
	case why == pool.Cancelled && r.Outcome != pool.OK:
		r.Outcome, r.Which, r.Evidence = why, "", "interrupted"
	}
}

// ended tells the end of an attempt, or has another one follow.
func (x *thread) ended(r *pool.Result) {
	retry := &x.in.Job.Retry
	x.t.mu.Lock()
	over := x.cancelled || x.t.killed
	x.t.mu.Unlock()
	if r.Outcome == pool.OK || r.Outcome == pool.Cancelled || over || x.attempt > retry.Max ||
		x.o.Halting() || !retry.Matches(string(r.Outcome), r.ExitCode >= 0, r.ExitCode, r.Signal) {
		x.o.Done(x.in, r)
		x.t.open.Done()
		return
	}
	after := retry.Delay(x.attempt, rand.Float64())
	x.o.Retrying(x.in, r, after)
	go x.wait(after)
}

// wait is between two attempts; it has no slot.
func (x *thread) wait(after time.Duration) {
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.asked:
	case <-x.t.killing:
	}
	x.t.mu.Lock()
	over := x.cancelled || x.t.killed
	if !over {
		x.t.enqueue(x)
	}
	x.t.mu.Unlock()
	if over {
		x.between()
	}
}

// between ends an instance that was taken back while it waited for a slot, or for
// the time of another attempt.
func (x *thread) between() {
	if x.attempt == 0 {
		x.o.Dropped(x.in)
	} else {
		x.o.Done(x.in, &pool.Result{Outcome: pool.Cancelled, Evidence: "cancelled between two attempts", ExitCode: -1, Attempt: x.attempt})
	}
	x.t.open.Done()
}

// Cancel implements Executor.
func (t *Threads) Cancel(in *Instance) {
	x, ok := in.Handle.(*thread)
	if !ok {
		return
	}
	t.mu.Lock()
	if x.cancelled {
		t.mu.Unlock()
		return
	}
	x.cancelled = true
	close(x.asked)
	queued, inPool := x.queued, x.inPool
	x.queued = false
	t.mu.Unlock()
	switch {
	case queued:
		x.between()
	case inPool:
		t.commands.pool.Cancel(&x.job)
	}
}

// Kill implements Executor.
func (t *Threads) Kill() {
	t.mu.Lock()
	if t.killed {
		t.mu.Unlock()
		return
	}
	t.killed = true
	close(t.killing)
	var back []*thread
	for _, x := range t.queue {
		if x.queued {
			x.queued = false
			back = append(back, x)
		}
	}
	t.queue = nil
	t.mu.Unlock()
	if t.commands != nil {
		t.commands.Kill()
	}
	go func() {
		for _, x := range back {
			x.between()
		}
	}()
}

// Close implements Executor. Tasks that were given up are not waited for.
func (t *Threads) Close(ctx context.Context) Closing {
	ended := make(chan struct{})
	go func() {
		t.open.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		t.Kill()
	}
	closing := Closing{}
	if t.commands != nil {
		closing = t.commands.Close(ctx)
	} else {
		t.objects.Close()
	}
	closing.Isolation = append([]string{"thread"}, closing.Isolation...)
	return closing
}

// prepareCommand, startedCommand and doneCommand are what the pool calls for the
// one attempt that a command's job is here: attempts and slots are counted by
// Threads, of which the pool has as many.
func prepareCommand(j *pool.Job, _, _ int) error {
	x := j.Tag.(*thread)
	if x.halted = x.o.Halting(); x.halted {
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
	x.inPool = false
	x.t.mu.Unlock()
	if x.halted || r.Outcome == pool.Cancelled && r.Evidence == unstarted {
		x.attempt--
		x.stillborn()
	} else {
		r.Attempt, r.Slot = x.attempt, x.slot
		x.ended(r)
	}
	x.t.vacate(x)
}
