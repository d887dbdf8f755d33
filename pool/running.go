package pool

import "time"

// started is the job that a thread of a worker has started last, as the monitor
// has seen it.
type started struct {
	id uint64
	at time.Time // when it was first seen
}

// observe notes which jobs the worker runs, and since when.
func (w *worker) observe(now time.Time, lost time.Duration) {
	if lost > 0 {
		w.moved = now // nor did time pass for what it has not started
	}
	if w.page == nil {
		w.observeSent(now, lost)
		return
	}
	for i := range w.runs {
		r := &w.runs[i]
		id := min(w.page.Started(i), w.sentID)
		if id == r.id {
			r.at = r.at.Add(lost)
			continue
		}
		*r = started{id, now}
		if j := w.flight.get(id); j != nil && w.flight.n == 1 && j.pending.sentAt().After(w.mark) {
			r.at = j.pending.sentAt()
		}
	}
}

// observeSent is observe of a worker without a page: what it has been sent, it has
// started.
func (w *worker) observeSent(now time.Time, lost time.Duration) {
	i := 0
	for id := w.flight.first; id <= w.sentID && i < len(w.runs); id++ {
		j := w.flight.get(id)
		if j == nil {
			continue
		}
		r := &w.runs[i]
		i++
		if r.id == id {
			r.at = r.at.Add(lost)
			continue
		}
		*r = started{id, now}
		for k := range w.runs { // it has moved up
			if k >= i && w.runs[k].id == id {
				r.at = w.runs[k].at.Add(lost)
			}
		}
		if w.flight.n == 1 && j.pending.sentAt().After(w.mark) {
			r.at = j.pending.sentAt()
		}
	}
}

// idleStart is how long a worker may hold jobs of which it starts none, beyond
// the time that the first of them may take.
const idleStart = time.Second

// work is a job that a worker runs, or ought to.
type work struct {
	*Job
	ran, limit time.Duration
	begun      bool
}

// atWork appends the jobs that the worker runs, since when, and how long they may
// take. Of a worker that runs none it is the one that it should have started: a
// worker that was stopped between two jobs must not hold them for ever.
func (w *worker) atWork(now time.Time, dst []work) []work {
	before := len(dst)
	var last time.Time // look that saw it start something
	for _, r := range w.runs {
		if j := w.flight.get(r.id); j != nil {
			dst = append(dst, work{j, now.Sub(r.at), j.Timeout, true})
		}
		if r.at.After(last) {
			last = r.at
		}
	}
	if len(dst) > before {
		return dst
	}
	j := w.flight.get(w.flight.first)
	if j == nil || w.flight.first > w.sentID {
		return dst
	}
	for _, t := range []time.Time{j.pending.sentAt(), w.mark, w.moved} {
		if t.After(last) {
			last = t
		}
	}
	return append(dst, work{j, now.Sub(last), j.Timeout + idleStart, false})
}

// busyFor is for how long none of the worker's threads has been free: what waits
// behind them has waited that long for one.
func (w *worker) busyFor(jobs []work) time.Duration {
	if len(jobs) < w.threads && jobs[0].begun {
		return 0
	}
	least := jobs[0].ran
	for _, x := range jobs[1:] {
		least = min(least, x.ran)
	}
	return least
}

// startedUpTo is the last job that the worker is known to have started.
func (w *worker) startedUpTo() (id uint64) {
	for _, r := range w.runs {
		id = max(id, r.id)
	}
	return id
}
