package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/feac4032/multiproc/internal/spawn"
)

// Report is how a pool ended.
type Report struct {
	// Cancelled is how many jobs ended as Cancelled from the beginning of the end on.
	Cancelled int
	// Terminated is how many workers and commands were sent SIGTERM because they had
	// not ended when their jobs were cancelled.
	Terminated int
	// Killed names the workers and commands that were killed because they had not
	// ended then either, with the job that they had.
	Killed []string
	// WorkersLost is how many workers ended without being asked to, since New.
	WorkersLost int
	// Leaked lists processes that could not be ended.
	Leaked []int
}

// Close waits for the jobs that the pool has, ends the workers and returns
// (Pool.close and join, Executor.shutdown). New jobs are refused from its
// beginning. It is idempotent; an error tells of processes that could not be
// ended.
func (p *Pool) Close() error {
	r := p.Shutdown(context.Background())
	if len(r.Leaked) > 0 {
		return fmt.Errorf("pool: processes %v could not be ended", r.Leaked)
	}
	return nil
}

// Shutdown is Close with a limit. Before ctx's deadline, by a quarter of the time
// that there is and by 2 s at most, the jobs that the pool still has are cancelled;
// a third of that later, what has not ended is sent SIGTERM, and after another it
// is killed. So it returns by the deadline, whatever the workers do. When ctx ends
// in another way the same happens within half a second from then. Nothing of the
// pool is left when it returns but what the Report names as leaked.
func (p *Pool) Shutdown(ctx context.Context) Report {
	p.mu.Lock()
	p.close()
	if p.open == 0 {
		p.finishDrain()
	}
	p.mu.Unlock()
	if ctx.Done() != nil {
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			p.windUp(ctx)
		}()
		defer func() { <-watched }()
	}
	<-p.drained
	p.shutdown.Do(p.dismantle)
	return p.report
}

// close refuses new jobs. The caller holds mu.
func (p *Pool) close() {
	if !p.closed {
		p.closed = true
		p.before = p.ended[Cancelled]
	}
}

// windUp ends what is left of the pool when the time that ctx gives it is over.
func (p *Pool) windUp(ctx context.Context) {
	now := time.Now()
	var step time.Duration
	var near <-chan time.Time
	if by, limited := ctx.Deadline(); limited {
		reserve := min(by.Sub(now)/4, 2*time.Second)
		step = reserve / 3
		timer := time.NewTimer(by.Add(-reserve).Sub(now))
		defer timer.Stop()
		near = timer.C
	}
	select {
	case <-p.gone:
		return
	case <-near:
	case <-ctx.Done():
		step = 0
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			step = 250 * time.Millisecond
		}
	}
	for _, do := range []func(){p.cancelAll, p.terminateAll} {
		do()
		timer := time.NewTimer(step)
		select {
		case <-p.gone:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
	p.nameKilled()
	p.Kill()
}

// cancelAll cancels every job that the pool has.
func (p *Pool) cancelAll() {
	a := actions{caller: true}
	p.mu.Lock()
	for _, j := range p.jobs() {
		p.cancel(j, &a)
	}
	p.mu.Unlock()
	a.run(p)
}

// jobs returns all that have not ended. The caller holds mu.
func (p *Pool) jobs() (all []*Job) {
	for _, c := range p.order {
		all = c.queue.append(all)
	}
	all = append(all, p.reservers(nil)...)
	for j := range p.waiting {
		all = append(all, j)
	}
	for _, w := range p.workers {
		all = w.jobsOf(all)
	}
	for c := range p.running {
		all = append(all, c.j)
	}
	return all
}

// jobsOf appends those that the worker has. The caller holds mu.
func (w *worker) jobsOf(all []*Job) []*Job {
	for id := w.flight.first; id < w.flight.next; id++ {
		if j := w.flight.get(id); j != nil && j != w.init {
			all = append(all, j)
		}
	}
	return all
}

// terminateAll sends SIGTERM to what has not ended.
func (p *Pool) terminateAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var procs []*spawn.Process
	for _, w := range p.workers {
		procs = append(procs, w.proc)
	}
	for c := range p.running {
		procs = append(procs, c.proc)
	}
	for _, proc := range procs {
		if proc == nil {
			continue
		}
		p.report.Terminated++
		if err := proc.Terminate(); err != nil { // a hand-over, which does not block
			p.log.Error("terminate failed", "pid", proc.PID(), "error", err)
		}
	}
}

// nameKilled notes who is about to be killed.
func (p *Pool) nameKilled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		if w.proc == nil {
			continue
		}
		name := fmt.Sprintf("%s (pid %d)", w.name, w.proc.PID())
		if jobs := w.jobsOf(nil); len(jobs) > 0 {
			name += " with " + label(jobs[0])
		}
		p.report.Killed = append(p.report.Killed, name)
	}
	for c := range p.running {
		p.report.Killed = append(p.report.Killed, fmt.Sprintf("%s (pid %d)", label(c.j), c.proc.PID()))
	}
}

// Kill cancels all jobs and kills all workers and commands. It does not wait;
// Close does.
func (p *Pool) Kill() {
	var a actions
	var workers []*worker
	var commands []*command
	p.mu.Lock()
	p.close()
	p.killed = true
	for _, c := range p.order {
		for c.queue.len() > 0 {
			j := c.queue.popFront()
			j.pending.cancelled = true
			a.finish(j, &Result{Outcome: Cancelled, Evidence: "cancelled before it started", ExitCode: -1, Attempt: j.pending.attempt})
		}
	}
	for _, j := range p.dropReservers(nil) {
		p.narrow(j, &a) // nobody waits who could get them
		j.pending.cancelled = true
		a.finish(j, &Result{Outcome: Cancelled, Evidence: "cancelled before it started", ExitCode: -1, Attempt: j.pending.attempt})
	}
	for j := range p.waiting {
		p.endWait(j, &a)
	}
	for _, w := range p.workers {
		for _, j := range w.jobsOf(nil) {
			j.pending.cancelled = true
		}
		workers = append(workers, w)
	}
	for c := range p.running {
		c.j.pending.cancelled = true
		commands = append(commands, c)
	}
	p.abandonTasks()
	if p.open == 0 {
		p.finishDrain()
	}
	p.mu.Unlock()
	a.run(p)
	for _, w := range workers {
		w.killFor(killedShutdown, "the pool was killed")
	}
	for _, c := range commands {
		c.end(killedShutdown)
	}
}

// finishDrain says that no job is open any more. The caller holds mu.
func (p *Pool) finishDrain() {
	select {
	case <-p.drained:
	default:
		close(p.drained)
	}
}

// abandonTasks wakes who waits to know the tasks of a program none of whose
// workers will get ready. The caller holds mu.
func (p *Pool) abandonTasks() {
	for _, c := range p.order {
		if c.err == nil && c.known != nil && !c.ready {
			c.err = ErrClosed
			c.announce()
		}
	}
}

// dismantle ends what is left once no job is.
func (p *Pool) dismantle() {
	p.mu.Lock()
	var idle []*worker
	for _, w := range p.workers {
		switch {
		case w.state == workerReady && !p.killed:
			idle = append(idle, w)
		case w.state == workerStarting:
			w.killLocked(killedShutdown, "the pool was closed")
		}
	}
	for _, c := range p.order {
		if c.timer != nil {
			c.timer.Stop()
		}
		if c.chores != nil {
			c.chores.Stop()
		}
		c.retry = time.Now().Add(time.Hour)
	}
	p.abandonTasks()
	p.mu.Unlock()
	for _, w := range idle {
		w.stop()
	}
	p.wg.Wait()
	for _, o := range p.outlets { // no job is left that could use one
		o.close()
	}
	p.unhook()
	close(p.quit)
	<-p.idle
	p.mu.Lock()
	p.report.WorkersLost = p.lost
	p.report.Cancelled = int(p.ended[Cancelled] - p.before)
	slices.Sort(p.leaked)
	p.report.Leaked = slices.Compact(p.leaked)
	p.mu.Unlock()
	if p.ownsG {
		if err := p.g.Close(); err != nil {
			p.log.Error("guardian did not close", "error", err)
		} else {
			p.report.Leaked = nil // what outlived its own worker or command did not outlive all of them
		}
	}
	close(p.gone)
}
