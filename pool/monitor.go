package pool

import (
	"slices"
	"time"

	"github.com/feac4032/multiproc/internal/awake"
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
	defer close(p.idle)
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
	var prints []tailing
	var events []*WorkerEvent
	p.mu.Lock()
	for _, w := range p.workers {
		if w.unled() {
			busy = true
		}
		if w.dead || w.state != workerStarting && w.flight.n == 0 {
			continue
		}
		busy = true
		if sizes && w.proc != nil {
			w.boundOutput()
		}
		if w.state == workerStarting {
			continue
		}
		if e := w.listen(now, lost, &a); e != nil {
			events = append(events, e)
		}
		w.observe(now, lost)
		p.works = w.atWork(now, p.works[:0])
		for _, x := range p.works {
			j := x.Job
			if x.begun && j.toTell() {
				begun = append(begun, start{w, j})
			}
			if j.Timeout > 0 && x.ran >= x.limit && !j.pending.timedOut && !j.pending.cancelled && lost == 0 {
				j.pending.timedOut = true
				w.interruptNow(j, &a)
			}
		}
		if sizes {
			if t, some := w.tails(); some {
				prints = append(prints, t)
			}
		}
		if len(p.works) > 0 && w.flight.n > w.threads && w.cancels && w.busyFor(p.works) > recallAfter(w.class.service*time.Duration(w.threads)) {
			w.recall(&a)
		}
	}
	clear(p.works)
	var overdue []*command
	for c := range p.running {
		busy = true
		if c.overdue(now, lost) {
			overdue = append(overdue, c)
		}
	}
	p.mu.Unlock()
	for _, e := range events {
		w := p.log.Warn
		if e.Kind == WorkerRecovered {
			w = p.log.Info
		}
		w("worker "+e.Evidence, "worker", e.Worker, "pid", e.PID, "job", e.Job)
		if p.cfg.OnWorker != nil {
			p.cfg.OnWorker(*e)
		}
	}
	for _, s := range begun {
		s.tell(s.Job)
	}
	for _, t := range prints {
		go t.follow()
	}
	a.run(p)
	for _, c := range overdue {
		c.end(killedTimeout)
	}
	return busy
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
	w.grown = w.threads
	unsent := w.sendq
	w.sendq = nil
	for _, j := range unsent {
		w.unsend(j, a)
	}
	w.p.putBack(unsent, a)
	for id := max(w.startedUpTo()+1, w.flight.first); id <= w.sentID; id++ {
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

// boundOutput kills a worker whose job has written too much. The caller holds mu.
func (w *worker) boundOutput() {
	n, most := w.written(), w.class.prog.Limits.output(w.p.cfg.MaxOutput)
	if n > most && w.kill == notKilled {
		w.breach = tooMuchOutput(most, n)
		w.killLocked(killedOutput, w.breach.Evidence)
	}
}

// interrupt asks for a job of this worker back, whether it has started or not.
// The caller holds mu.
func (w *worker) interrupt(j *Job, a *actions) CancelState {
	id := j.pending.id
	switch i := slices.Index(w.sendq, j); {
	case i >= 0:
		w.sendq = slices.Delete(w.sendq, i, i+1)
		w.unsend(j, a)
		a.finish(j, cancelledEarly(j))
		w.p.refill(w, a)
		return Dequeued
	case w.flight.get(id) != j || id > w.sentID:
		return Interrupting // answered; or it is dealt with when it is about to be sent
	}
	w.interruptNow(j, a)
	return Interrupting
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
	if w.doomed[id] != nil {
		return
	}
	if w.doomed == nil {
		w.doomed = make(map[uint64]*awake.Timer)
	}
	w.doomed[id] = awake.AfterFunc(j.killAfter(), func() {
		w.p.mu.Lock()
		defer w.p.mu.Unlock()
		if w.flight.get(id) == j && !w.dead {
			w.killLocked(why, text)
		}
	})
}

// spareLife takes the threat back that interruptNow has made for a job. The caller
// holds mu.
func (w *worker) spareLife(id uint64) {
	if len(w.doomed) > 0 {
		w.doomed[id].Stop()
		delete(w.doomed, id)
	}
}

// killAfter is the time between asking a job to end and killing it.
func (j *Job) killAfter() time.Duration {
	if j.KillAfter > 0 {
		return j.KillAfter
	}
	return 5 * time.Second
}
