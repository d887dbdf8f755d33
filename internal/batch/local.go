package batch

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
)

// Local runs instances in the processes of a pool on this machine.
type Local struct {
	pool    *pool.Pool
	objects *manager.Manager // that tasks open by name
	plans   map[*config.Job]*plan
	watch   atomic.Pointer[func(pool.WorkerEvent)]

	mu    sync.Mutex
	apart []string // what has kept attempts apart beside processes
}

// OpenLocal makes a pool, with the named objects of the run, and the executor of a
// file's jobs on it. Close closes them all.
func OpenLocal(cfg pool.Config, f *config.File, s Settings) (*Local, error) {
	plans, err := newPlans(f, &s)
	if err != nil {
		return nil, err
	}
	l := &Local{plans: byJob(plans)}
	cfg.OnWorker = func(e pool.WorkerEvent) {
		if watch := l.watch.Load(); watch != nil {
			(*watch)(e)
		}
	}
	if l.objects, err = openObjects(f); err != nil {
		return nil, err
	}
	cfg.Manager = l.objects
	if l.pool, err = pool.New(context.Background(), cfg); err != nil {
		l.objects.Close()
		return nil, err
	}
	return l, nil
}

func byJob(plans []*plan) map[*config.Job]*plan {
	m := make(map[*config.Job]*plan, len(plans))
	for _, p := range plans {
		m[p.job] = p
	}
	return m
}

// Watch implements Executor.
func (l *Local) Watch(watch func(pool.WorkerEvent)) { l.watch.Store(&watch) }

// local is an instance in the pool.
type local struct {
	of   *Local
	job  pool.Job
	cmd  pool.Command
	plan *plan
	in   *Instance
	o    Observer
	ran  bool // an attempt was started
	shut bool // it was turned away
}

// Tasks implements Executor.
func (l *Local) Tasks(ctx context.Context, j *config.Job) ([]string, error) {
	p := l.plans[j]
	prog := p.program
	if prog == nil || checkDir(prog.Dir) != nil {
		// What its workers know depends neither on the environment of one of them, nor
		// on a folder that a job may yet make.
		prog = &pool.Program{
			Command: p.command, Env: p.env, Dir: p.root, StartTimeout: p.start,
			Limits: p.workers.Limits, Isolation: p.workers.Isolation, Lenient: p.workers.Lenient,
		}
	}
	return l.pool.Tasks(ctx, prog)
}

// Submit implements Executor.
func (l *Local) Submit(in *Instance, o Observer) error {
	p := l.plans[in.Job]
	x := &local{of: l, plan: p, in: in, o: o}
	in.Handle = x
	x.job = pool.Job{
		Label:     clip(in.Label(), ipc.MaxName),
		Priority:  in.priority(),
		Slots:     in.Job.Slots,
		Timeout:   p.timeout,
		KillAfter: p.killAfter,
		Prepare:   prepare,
		Started:   started,
		Done:      done,
		Tag:       x,
	}
	if r := &in.Job.Retry; r.Max > 0 {
		x.job.Retrying = retrying
		x.job.Retry = pool.Retry{
			Max: r.Max, When: x.worthAgain,
			Backoff: r.Backoff, Factor: r.Factor, MaxBackoff: r.MaxBackoff, Jitter: r.Jitter,
			NoBackoff: r.Backoff == 0,
		}
	}
	if in.Gated() {
		x.job.Again = again
	}
	if in.Watched() {
		x.job.Output = output
	}
	if in.Job.Kind == config.Task {
		var err error
		if x.job.Program, err = p.programOf(in); err != nil {
			return err
		}
		x.job.Task = in.Job.Task
	} else {
		x.job.Command = &x.cmd
	}
	return l.pool.Go(&x.job)
}

// Again implements Executor.
func (l *Local) Again(in *Instance) {
	if x, ok := in.Handle.(*local); ok {
		l.pool.Again(&x.job)
	}
}

// Cancel implements Executor.
func (l *Local) Cancel(in *Instance) {
	if x, ok := in.Handle.(*local); ok {
		l.pool.Cancel(&x.job)
	}
}

// Kill implements Executor.
func (l *Local) Kill() { l.pool.Kill() }

// Close implements Executor.
func (l *Local) Close(ctx context.Context) Closing {
	r := l.pool.Shutdown(ctx)
	l.objects.Close()
	l.note(l.pool.Isolation()) // workers tell when they end
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.apart)
	return Closing{WorkersLost: l.pool.WorkersLost(), Leaked: r.Leaked, Isolation: append([]string{config.IsolationProcess}, l.apart...)}
}

// note remembers what has kept an attempt apart.
func (l *Local) note(parts []string) {
	if len(parts) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, part := range parts {
		if part != config.IsolationProcess && !slices.Contains(l.apart, part) {
			l.apart = append(l.apart, part)
		}
	}
}

func prepare(j *pool.Job, attempt, slot int) (err error) {
	x := j.Tag.(*local)
	if x.o.Halting() {
		x.shut = true
		return errHalted
	}
	if j.Command != nil {
		return x.plan.process(j.Command, x.in, attempt, slot)
	}
	j.Key = x.plan.keyOf(x.in)
	j.Payload, err = x.plan.payload(x.in, attempt, slot)
	return err
}

func started(j *pool.Job, attempt, slot int, worker string, pid int) {
	x := j.Tag.(*local)
	x.ran = true
	x.o.Started(x.in, Attempt{Number: attempt, Slot: slot, Worker: worker, PID: pid})
}

func retrying(j *pool.Job, r *pool.Result, after time.Duration) {
	x := j.Tag.(*local)
	x.o.Retrying(x.in, r, after)
}

func again(j *pool.Job) {
	x := j.Tag.(*local)
	x.o.Again(x.in)
}

func output(j *pool.Job, stderr bool, p []byte) {
	x := j.Tag.(*local)
	x.o.Output(x.in, stderr, p)
}

func done(j *pool.Job, r *pool.Result) {
	x := j.Tag.(*local)
	x.of.note(r.Isolation)
	switch {
	case r.Attempt <= 1 && !x.ran && (x.shut || r.Outcome == pool.Cancelled && r.Evidence == unstarted):
		x.o.Dropped(x.in)
		return
	case x.shut:
		r.Outcome, r.Which, r.Evidence = pool.Cancelled, "", "halted before another attempt"
	}
	x.o.Done(x.in, r)
}

// unstarted is what the pool says of a job that it took back, also from a
// worker that held it behind others.
const unstarted = "cancelled before it started"

func (x *local) worthAgain(r *pool.Result) bool {
	return !x.o.Halting() && x.in.Job.Retry.Matches(string(r.Outcome), r.ExitCode >= 0, r.ExitCode, r.Signal)
}

// clip shortens a label that no frame could carry.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit-3] + "..."
}
