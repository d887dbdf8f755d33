package pool

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Report is how a pool ended.
type Report struct {
	// Cancelled is how many jobs were taken back or interrupted.
	Cancelled int
	// WorkersLost is how many workers ended without being asked to.
	WorkersLost int
	// Leaked lists processes that could not be ended.
	Leaked []int
}

// Close waits for the jobs that the pool has, ends the workers and returns. New
// jobs are refused from its beginning. It is idempotent; an error tells of
// processes that could not be ended.
func (p *Pool) Close() error {
	r := p.Shutdown(context.Background())
	if len(r.Leaked) > 0 {
		return fmt.Errorf("pool: processes %v could not be ended", r.Leaked)
	}
	return nil
}

// Shutdown is Close with a limit: when ctx ends before the jobs do, what waits
// is cancelled and what runs is killed. It always returns, and nothing of the
// pool is left then but what the Report names as leaked.
func (p *Pool) Shutdown(ctx context.Context) Report {
	p.mu.Lock()
	p.closed = true
	if p.open == 0 {
		p.finishDrain()
	}
	p.mu.Unlock()
	select {
	case <-p.drained:
	case <-ctx.Done():
		p.Kill()
		<-p.drained
	}
	p.shutdown.Do(p.dismantle)
	return p.report
}

// Kill cancels all jobs and kills all workers and commands. It does not wait;
// Close does.
func (p *Pool) Kill() {
	var a actions
	var workers []*worker
	var commands []*command
	p.mu.Lock()
	p.closed, p.killed = true, true
	for _, c := range p.order {
		for c.queue.len() > 0 {
			j := c.queue.popFront()
			j.pending.cancelled = true
			p.report.Cancelled++
			a.finish(j, &Result{Outcome: Cancelled, Evidence: "cancelled before it started", ExitCode: -1, Attempt: j.pending.attempt})
		}
	}
	for j, timer := range p.waiting {
		timer.Stop()
		delete(p.waiting, j)
		j.pending.cancelled = true
		p.report.Cancelled++
		a.finish(j, &Result{Outcome: Cancelled, Evidence: "cancelled between two attempts", ExitCode: -1, Attempt: j.pending.attempt})
	}
	for _, w := range p.workers {
		for id := w.flight.first; id < w.flight.next; id++ {
			if j := w.flight.get(id); j != nil {
				j.pending.cancelled = true
				p.report.Cancelled++
			}
		}
		workers = append(workers, w)
	}
	for c := range p.running {
		c.j.pending.cancelled = true
		p.report.Cancelled++
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
}
