package batch

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/config"
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
	base     context.Context  // of all tasks
	plans    map[*config.Job]*plan
	pid      int
	log      hclog.Logger
	open     sync.WaitGroup // instances

	mu      sync.Mutex
	queue   []*thread            // wait for a slot, first come, first served
	waiting map[*thread]struct{} // for the time of another attempt
	running []*thread            // by slot, nil where nothing runs; the first one is no slot
	free    []int                // slots that no goroutine serves, the lowest last
	idle    int                  // goroutines that serve a slot, and wait for work
	work    sync.Cond            // there is some for one of them, or there will be none
	killed  bool
	closed  bool
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
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	t := &Threads{pid: os.Getpid(), log: cfg.Logger, waiting: make(map[*thread]struct{}), running: make([]*thread, cfg.Workers+1)}
	t.work.L = &t.mu
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
	t.base = manager.With(context.Background(), t.objects)
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
		if j.Slots > 1 {
			refuse(j, "an instance that takes %d slots cannot run beside threads", j.Slots)
		}
		if j.Kind != config.Task {
			continue
		}
		if j.Limits != nil || j.Isolation != "" && j.Isolation != config.IsolationProcess {
			refuse(j, "limits and isolation are for processes: threads share the supervisor's")
		}
		if len(j.Secrets)+len(j.EnvFiles) > 0 {
			refuse(j, "secrets and env_file are for processes: what threads print goes out as it is")
		}
		if j.Worker != nil && (j.Worker.Init != nil || j.Worker.Threads > 1) {
			refuse(j, "init and threads are for worker processes")
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

// Submit implements Executor.
func (t *Threads) Submit(in *Instance, o Observer) error {
	x := &thread{t: t, plan: t.plans[in.Job], in: in, o: o}
	if in.Job.Kind != config.Task {
		x.job = pool.Job{
			Label: clip(in.Label(), ipc.MaxName), Command: &x.cmd, Tag: x,
			Timeout: x.plan.timeout, KillAfter: x.plan.killAfter,
			Prepare: prepareCommand, Started: startedCommand, Done: doneCommand,
		}
		if in.Watched() {
			x.job.Output = func(_ *pool.Job, stderr bool, p []byte) { o.Output(in, stderr, p) }
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
	x.state = threadQueued
	t.queue = append(t.queue, x)
	switch {
	case t.idle > 0:
		t.idle--
		t.work.Signal()
	case len(t.free) > 0:
		slot := t.free[len(t.free)-1]
		t.free = t.free[:len(t.free)-1]
		go t.serve(slot)
	}
}

// serve runs attempts in a slot, until there will be no more, or one of them does
// not come back.
func (t *Threads) serve(slot int) {
	for x := t.take(slot); x != nil; x = t.take(slot) {
		if !x.run() {
			return
		}
	}
}

// take waits for an instance to run in a slot; nil = there will be none.
func (t *Threads) take(slot int) *thread {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[slot] = nil
	for {
		for len(t.queue) > 0 {
			x := t.queue[0]
			t.queue[0] = nil
			t.queue = t.queue[1:]
			if x.state != threadQueued {
				continue // it was taken back
			}
			x.state, x.slot, x.why = threadEnding, slot, ""
			t.running[slot] = x
			return x
		}
		if t.closed {
			return nil
		}
		t.idle++
		t.work.Wait()
	}
}

// Again implements Executor.
func (t *Threads) Again(in *Instance) {
	x, ok := in.Handle.(*thread)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.state == threadWaiting {
		delete(t.waiting, x)
		x.timer = nil
		t.enqueue(x)
	}
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
	back := x.takeBack()
	state, attempt := x.state, x.attempt
	t.mu.Unlock()
	switch {
	case back:
		x.unbegun("cancelled between two attempts")
	case state == threadTask:
		x.interrupt(attempt, pool.Cancelled, worker.ErrCancelled)
	case state == threadCommand:
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
	var back []*thread
	var giveUp []func()
	for _, x := range t.queue {
		if x.takeBack() {
			back = append(back, x)
		}
	}
	t.queue = nil
	for x := range t.waiting {
		if x.takeBack() {
			back = append(back, x)
		}
	}
	for _, x := range t.running {
		if x != nil && x.state == threadTask {
			attempt := x.attempt
			giveUp = append(giveUp, func() {
				x.interrupt(attempt, pool.Cancelled, worker.ErrCancelled)
				x.giveUp(attempt)
			})
		}
	}
	t.mu.Unlock()
	if t.commands != nil {
		t.commands.Kill()
	}
	for _, f := range giveUp {
		go f()
	}
	go func() {
		for _, x := range back {
			x.unbegun("cancelled between two attempts")
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
	t.mu.Lock()
	t.closed = true
	t.idle = 0
	t.work.Broadcast()
	t.mu.Unlock()
	closing := Closing{}
	if t.commands != nil {
		closing = t.commands.Close(ctx)
	} else {
		t.objects.Close()
	}
	closing.Isolation = append([]string{"thread"}, closing.Isolation...)
	return closing
}
