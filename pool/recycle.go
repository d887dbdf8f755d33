package pool

import (
	"math"
	"slices"
	"time"
)

// A worker that has lived long enough is replaced between two jobs. It gets no
// more of them from the moment that this is known; when its last one is answered
// it is stopped, and its slot is free for a spare, or a new worker.

// retire stops a worker that has a slot and nothing to do. The caller holds mu.
func (p *Pool) retire(w *worker, a *actions) {
	slot := w.slot
	w.slot = 0
	p.stopIdle(w, a)
	p.stats.Recycled++
	if slot > 0 {
		p.vacate(slot, a)
	}
	p.dispatch(w.class, a)
}

// stopIdle ends a worker that has neither a job nor a slot. The caller holds mu.
func (p *Pool) stopIdle(w *worker, a *actions) {
	w.state = workerStopping
	a.stops = append(a.stops, w)
}

// jobsLeft is how many more jobs the worker may be given.
func (w *worker) jobsLeft() int {
	most := w.class.prog.MaxJobs
	if most == 0 {
		return math.MaxInt
	}
	return max(0, most-int(float64(most)*(1-w.lease))-w.sent)
}

// aged reports whether the worker is too old for another job.
func (w *worker) aged() bool {
	most := w.class.prog.MaxAge
	return most > 0 && time.Since(w.lived) >= w.span(most)
}

// span is the worker's own part of a maximum.
func (w *worker) span(d time.Duration) time.Duration { return time.Duration(float64(d) * w.lease) }

// weigh measures the worker's memory after jobs of it were answered, and says
// whether it has become too large. Only the reader calls it.
func (w *worker) weigh() (bytes int64, tooLarge bool) {
	if w.meter == nil {
		return 0, false
	}
	bytes = w.meter.read()
	return bytes, bytes > w.class.prog.MaxMemory
}

// outgrow lets a worker retire that has become too large; what it has not started
// goes elsewhere. The caller holds mu.
func (w *worker) outgrow(a *actions) {
	if w.retiring || w.state != workerReady {
		return
	}
	w.retiring = true
	if w.flight.n > 0 && w.cancels {
		w.recall(a)
	}
}

// wakes reports whether the class has an idle worker for a job; those that are too
// old are stopped first. The caller holds mu.
func (c *class) wakes(a *actions) bool {
	for n := len(c.idle); n > 0; n-- {
		w := c.idle[n-1]
		if !w.aged() {
			return true
		}
		c.idle = c.idle[:n-1]
		c.p.stopIdle(w, a)
		c.p.stats.Recycled++
	}
	return false
}

// provide starts workers until the class has as many to spare as it should. The
// caller holds mu.
func (p *Pool) provide(c *class, a *actions) {
	if c.prog.Spares == 0 || c.err != nil || p.closed || c.isCommand || time.Now().Before(c.retry) {
		return
	}
	spare, slots := len(c.idle), 0
	for _, w := range c.workers {
		switch {
		case w.slot > 0:
			slots++
		case w.state == workerStarting:
			spare++
		}
	}
	if slots == 0 && c.queue.len() == 0 {
		return // nothing has been asked of it yet, or for long
	}
	for ; spare < c.prog.Spares; spare++ {
		p.startWorker(c, 0, a)
	}
}

// tidyLater sees to it that workers which stay idle are stopped. The caller holds
// mu.
func (c *class) tidyLater(now time.Time) {
	if c.prog.IdleTimeout == 0 || c.chores != nil {
		return
	}
	next := c.prog.IdleTimeout
	for _, w := range c.idle {
		next = min(next, w.rested.Add(w.span(c.prog.IdleTimeout)).Sub(now))
	}
	c.chores = time.AfterFunc(max(next, time.Millisecond), c.tidy)
}

// tidy stops the workers that have been idle for too long.
func (c *class) tidy() {
	var a actions
	p := c.p
	p.mu.Lock()
	c.chores = nil
	now := time.Now()
	most := len(c.idle) - c.prog.Spares
	c.idle = slices.DeleteFunc(c.idle, func(w *worker) bool {
		if most--; most < 0 || now.Sub(w.rested) < w.span(c.prog.IdleTimeout) {
			return false
		}
		p.stopIdle(w, &a)
		p.stats.Recycled++
		return true
	})
	if len(c.idle) > c.prog.Spares && !p.closed {
		c.tidyLater(now)
	}
	p.mu.Unlock()
	a.run(p)
}
