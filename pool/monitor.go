package pool

import (
	"fmt"
	"slices"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

const (
	// tick is how exact timeouts of warm jobs are. Which job a worker runs is read
	// from memory that it shares, so a look costs nothing but the look.
	tick = 10 * time.Millisecond

	// gap is how late a tick may be before the difference counts as time in which
	// this process did not run, and no job is charged with it.
	gap = time.Second

	// outputEvery is how many ticks pass between looks at the captures' sizes.
	outputEvery = 10
)

// watch lets the monitor look after jobs in flight. The caller holds mu.
func (p *Pool) watch() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// monitor is the pool's clock: timeouts from the start in the worker, jobs that
// wait behind a long one, too much output. It sleeps while nothing is in flight.
func (p *Pool) monitor() {
	defer close(p.ended)
	ticker := time.NewTicker(tick)
	ticker.Stop()
	defer ticker.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-p.wake:
		}
		ticker.Reset(tick)
		last := time.Now()
		for n, busy := 1, true; busy; n++ {
			select {
			case <-p.quit:
				return
			case <-ticker.C:
			}
			now := time.Now()
			var lost time.Duration
			if late := now.Sub(last); late > gap {
				lost = late
			}
			last = now
			busy = p.look(now, lost, n%outputEvery == 0)
		}
		ticker.Stop()
	}
}

// look is one tick. It reports whether anything is in flight.
func (p *Pool) look(now time.Time, lost time.Duration, sizes bool) (busy bool) {
	type start struct {
		*worker
		*Job
	}
	var a actions
	var begun []start
	p.mu.Lock()
	for _, w := range p.workers {
		if w.dead || w.state != workerStarting && w.flight.n == 0 {
			continue
		}
		busy = true
		if sizes && w.proc != nil && w.written() > p.cfg.MaxOutput {
			w.killLocked(killedOutput, fmt.Sprintf("wrote more than %d bytes", p.cfg.MaxOutput))
		}
		if w.state == workerStarting {
			continue
		}
		w.observe(now, lost)
		j, ran, limit := w.atWork(now)
		if j != nil && j.toTell() {
			begun = append(begun, start{w, j})
		}
		if j != nil && j.Timeout > 0 && ran >= limit && !j.pending.timedOut && !j.pending.cancelled && lost == 0 {
			j.pending.timedOut = true
			w.interruptNow(j, &a)
		}
		if w.flight.n > 1 && w.cancels && ran > recallAfter(w.class.service) {
			w.recall(&a)
		}
	}
	var overdue []*command
	for c := range p.running {
		busy = true
		if c.overdue(now, lost) {
			overdue = append(overdue, c)
		}
	}
	p.mu.Unlock()
	for _, s := range begun {
		s.tell(s.Job)
	}
	a.run(p)
	for _, c := range overdue {
		c.end(killedTimeout)
	}
	return busy
}

// observe notes which job the worker runs, and since when.
func (w *worker) observe(now time.Time, lost time.Duration) {
	if lost > 0 {
		w.moved = now // nor did time pass for what it has not started
	}
	id := w.flight.first // without a page there is one at a time
	if w.page != nil {
		id = w.page.Started(0)
	}
	id = min(id, w.sentID)
	if id != w.startedID {
		w.startedID = id
		w.startedAt = now
		if j := w.flight.get(id); j != nil && w.flight.n == 1 && j.pending.sent.After(w.mark) {
			w.startedAt = j.pending.sent
		}
		return
	}
	w.startedAt = w.startedAt.Add(lost)
}

// idleStart is how long a worker may hold jobs of which it starts none, beyond
// the time that the first of them may take.
const idleStart = time.Second

// atWork returns the job that the worker runs, since when, and how long it may
// take. Of a worker that runs none it is the one that it should have started: a
// worker that was stopped between two jobs must not hold them for ever.
func (w *worker) atWork(now time.Time) (j *Job, ran, limit time.Duration) {
	if j = w.flight.get(w.startedID); j != nil {
		return j, now.Sub(w.startedAt), j.Timeout
	}
	j = w.flight.get(w.flight.first)
	if j == nil || w.flight.first > w.sentID {
		return nil, now.Sub(w.startedAt), 0
	}
	waits := w.startedAt // of the last look that saw it start something
	for _, t := range []time.Time{j.pending.sent, w.mark, w.moved} {
		if t.After(waits) {
			waits = t
		}
	}
	return j, now.Sub(waits), j.Timeout + idleStart
}

// recallAfter is how long a job may run, in a class whose jobs usually take
// service, before those behind it are taken back.
func recallAfter(service time.Duration) time.Duration {
	return min(max(2*tick, 8*service), time.Second)
}

// recall asks for the jobs back that wait behind the one that runs. The caller
// holds mu.
func (w *worker) recall(a *actions) {
	w.slow = true
	w.grown = 1
	unsent := w.sendq
	w.sendq = nil
	for _, j := range unsent {
		w.unsend(j)
	}
	w.p.putBack(unsent, a)
	for id := max(w.startedID+1, w.flight.first); id <= w.sentID; id++ {
		if j := w.flight.get(id); j != nil && !j.pending.recalled && id != w.partial {
			j.pending.recalled = true
			w.control = append(w.control, ipc.AppendCancel(nil, id, false))
		}
	}
	w.kick(a)
	if len(unsent) > 0 {
		w.p.refill(w, a)
		w.p.dispatch(w.class, a)
	}
}

// written is how much the running job has written so far.
func (w *worker) written() int64 {
	return w.out.rest() + w.err.rest()
}

// interrupt asks for a job of this worker back, whether it has started or not.
// The caller holds mu.
func (w *worker) interrupt(j *Job, a *actions) {
	id := j.pending.id
	switch i := slices.Index(w.sendq, j); {
	case i >= 0:
		w.sendq = slices.Delete(w.sendq, i, i+1)
		w.unsend(j)
		a.finish(j, cancelledEarly(j))
		w.p.refill(w, a)
		return
	case w.flight.get(id) != j || id > w.sentID:
		return // answered; or it is dealt with when it is about to be sent
	}
	w.interruptNow(j, a)
}

// interruptNow asks the worker to end a job, and kills the worker if that takes
// longer than the job allows.
func (w *worker) interruptNow(j *Job, a *actions) {
	id := j.pending.id
	if w.cancels {
		if id != w.partial { // else with its last chunk
			w.control = append(w.control, ipc.AppendCancel(nil, id, true))
			w.creditUp.Broadcast()
			w.kick(a)
		}
	} else if err := w.proc.Terminate(); err != nil {
		w.p.log.Error("terminate failed", "worker", w.name, "error", err)
	}
	why, text := killedCancel, "did not end when it was cancelled"
	if j.pending.timedOut {
		why, text = killedTimeout, timeoutEvidence(j)
	}
	time.AfterFunc(j.killAfter(), func() {
		w.p.mu.Lock()
		defer w.p.mu.Unlock()
		if w.flight.get(id) == j && !w.dead {
			w.killLocked(why, text)
		}
	})
}

// killAfter is the time between asking a job to end and killing it.
func (j *Job) killAfter() time.Duration {
	if j.KillAfter > 0 {
		return j.KillAfter
	}
	return 5 * time.Second
}
