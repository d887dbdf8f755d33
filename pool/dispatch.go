package pool

import (
	"maps"
	"slices"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

// actions are what follows from a change of the pool's state and must not be
// done while its mutex is held: nothing waits for a pipe or a caller there.
type actions struct {
	caller     bool // they follow from a call of the pool's user, who may hold locks
	flush      []*worker
	commands   []*Job
	starts     []*worker
	stops      []*worker
	interrupts []*command
	finished   []ended
}

type ended struct {
	j *Job
	r *Result
}

// finish ends an attempt of a job that nobody else can end any more.
func (a *actions) finish(j *Job, r *Result) {
	j.pending.state = jobEnding
	a.finished = append(a.finished, ended{j, r})
}

func (a *actions) interrupt(c *command) { a.interrupts = append(a.interrupts, c) }

// run carries them out. The caller does not hold mu.
func (a *actions) run(p *Pool) {
	for _, w := range a.flush {
		w.flush(a.caller)
	}
	for _, w := range a.starts {
		go w.run()
	}
	for _, w := range a.stops {
		w.stop()
	}
	for _, j := range a.commands {
		go p.runCommands(j)
	}
	for _, c := range a.interrupts {
		c.interrupt()
	}
	if len(a.finished) > 0 {
		// Not here: the caller of Go or Cancel may hold a lock that Done takes.
		go p.completeAll(a.finished)
	}
}

func (p *Pool) completeAll(all []ended) {
	for _, e := range all {
		p.complete(e.j, e.r)
	}
}

// dispatch gives work to whoever can take it, after something has changed for
// class c: a job came, a worker became ready or less busy. The caller holds mu.
func (p *Pool) dispatch(c *class, a *actions) {
	if len(c.wide) > 0 {
		p.assign(c, a)
	}
	for len(p.free) > 0 && c.queue.len() > 0 {
		if !p.occupy(c, a) {
			break
		}
	}
	p.provide(c, a)
	if c.queue.len() > 0 && !c.isCommand {
		for _, w := range c.workers {
			if w.slot > 0 {
				p.refill(w, a)
			}
		}
	}
}

// vacate returns a slot. One that Resize has taken away is gone then. The caller
// holds mu.
func (p *Pool) vacate(slot int, a *actions) {
	p.taken[slot] = false
	if slot > p.slots {
		return
	}
	p.free = append(p.free, slot)
	p.collect(a)
	p.allot(a)
}

// takeSlot takes a free slot; there has to be one. The caller holds mu.
func (p *Pool) takeSlot() int {
	slot := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.taken[slot] = true
	return slot
}

// allot gives free slots to the classes whose first jobs have waited longest. The
// caller holds mu.
func (p *Pool) allot(a *actions) {
	for len(p.free) > 0 {
		var next *class
		for _, c := range p.order {
			if c.queue.len() > 0 && c.able() &&
				(next == nil || c.queue.front().pending.seq < next.queue.front().pending.seq) {
				next = c
			}
		}
		if next == nil || !p.occupy(next, a) {
			return
		}
	}
}

// able reports whether the class can use a slot now.
func (c *class) able() bool {
	return c.isCommand || len(c.idle) > 0 || c.starting < c.queue.len() && !time.Now().Before(c.retry)
}

// occupy uses a free slot for the first job of a class that has one: for an idle
// worker, a new one, or a command, or as the first of several. It reports false when the class has no use for
// it now.
func (p *Pool) occupy(c *class, a *actions) bool {
	if !c.able() {
		return false
	}
	if c.queue.front().isWide() {
		p.reserve(c, a)
		return true
	}
	// It is taken first: what follows may free others, and give them away.
	slot := p.takeSlot()
	switch {
	case c.isCommand:
		p.launch(c.queue.popFront(), slot, a)
	case c.wakes(a):
		w := c.idle[len(c.idle)-1]
		c.idle = c.idle[:len(c.idle)-1]
		w.slot, w.since = slot, time.Now()
		p.refill(w, a)
	case c.starting < c.queue.len() && !time.Now().Before(c.retry):
		// Others that are already starting will take what waits; this one is for
		// what they leave.
		p.startWorker(c, slot, a)
	default:
		p.free = append(p.free, slot) // all that were idle are too old, and others are starting
		p.taken[slot] = false
		return false
	}
	return true
}

// launch starts a command in a slot. The caller holds mu.
func (p *Pool) launch(j *Job, slot int, a *actions) {
	p.wg.Add(1)
	j.pending.state = jobRunning
	j.pending.slot = int32(slot)
	a.commands = append(a.commands, j)
}

// fairness is how long the jobs of one class may keep the slots from those of
// another.
const fairness = 250 * time.Millisecond

// yields reports whether w should not be given more, because another class has
// no slot and has been waiting while w's was served, or a wide job collects slots.
func (p *Pool) yields(w *worker) bool {
	if j := p.reserving; j != nil {
		return j.pending.class == w.class || time.Since(w.since) >= fairness
	}
	if len(p.order) <= 2 && p.commands.queue.len() == 0 || time.Since(w.since) < fairness {
		return false
	}
	for _, c := range p.order {
		if c != w.class && c.queue.len() > 0 && c.able() &&
			(w.class.queue.len() == 0 || c.queue.front().pending.seq < w.class.queue.front().pending.seq) {
			return true
		}
	}
	return false
}

// refill sends a worker that has a slot as many jobs as its window allows, or
// takes the slot from it when there are none. The caller holds mu.
func (p *Pool) refill(w *worker, a *actions) {
	c := w.class
	if w.state != workerReady || w.dead || w.leaving {
		return
	}
	if w.aged() {
		w.retiring = true
	}
	if w.retiring || w.jobsLeft() == 0 {
		if w.flight.n == 0 {
			p.retire(w, a)
		}
		return
	}
	w.alone = w.alone && w.flight.n > 0
	if (w.alone || w.led || w.slot > p.slots) && w.flight.n > 0 {
		return
	}
	if w.flight.n == 0 && (c.queue.len() == 0 || w.slot > p.slots || c.queue.front().isWide() || p.yields(w)) {
		p.rest(w, a)
		return
	}
	if c.queue.len() == 0 || c.queue.front().isWide() || w.flight.n > 0 && p.yields(w) {
		return
	}
	window := c.window(w)
	room := window - w.flight.n
	// Few large writes are better than many small ones: while the worker has enough
	// to do until its next answers bring more, jobs are collected. That is more than it
	// runs now, however long its jobs are: one of those may be about to end.
	if room <= 0 || w.flight.n > 0 && room < window/4 ||
		w.flight.n >= max(w.threads+1, window/aheadPart) && c.queue.len() < window/4 {
		return
	}
	// What is left is shared among those who could run it.
	if sharers := len(c.workers) + min(len(p.free), p.slots); sharers > 1 {
		room = min(room, max(w.threads, (c.queue.len()+sharers-1)/sharers))
	}
	room = min(room, w.jobsLeft())
	for range min(room, c.queue.len()) {
		j := c.queue.front()
		if j.isWide() || j.pending.alone && w.flight.n > 0 {
			break // when it has its slots; when what the worker has is done
		}
		inline, ok := w.inline(j)
		if !ok {
			break // until the worker grants more, as it does when it starts a job
		}
		c.queue.popFront()
		w.give(j, inline)
		if j.pending.alone {
			w.alone = true
			break
		}
	}
	w.kick(a)
	p.watch()
}

// aheadPart of its window keeps a worker busy for the time of a round trip: flightTime
// by this is 80 µs.
const aheadPart = 64

// inline is how many bytes of a job's payload travel with it. It reports false
// when there is no credit for them now. The caller holds mu.
func (w *worker) inline(j *Job) (n int64, ok bool) {
	n = int64(len(j.Payload))
	if n > ipc.MaxInline {
		n = 0 // its chunks wait for credit one by one
	}
	if w.credit >= 0 && n > w.credit {
		if w.flight.n > 0 {
			return 0, false
		}
		n = 0 // the worker starts no job: this one is sent as far as there is credit
	}
	return n, true
}

// give adds a job to what waits to be sent, with credit for so many bytes. The
// caller holds mu.
func (w *worker) give(j *Job, inline int64) {
	s := &j.pending
	s.state = jobFlying
	s.w, s.slot, s.reserved = w, int32(w.slot), 0
	if w.flight.n == 0 {
		w.mark = time.Now()
	}
	s.id = w.flight.add(j)
	w.sendq = append(w.sendq, j)
	w.sent++
	if w.credit >= 0 {
		w.credit -= inline
		s.reserved = int32(inline)
	}
	if !s.leads || w.flight.n > 1 {
		w.readOn()
	}
}

// rest takes the slot from a worker that has nothing to do.
func (p *Pool) rest(w *worker, a *actions) {
	slot := w.slot
	w.slot = 0
	if slot > p.slots { // which Resize has taken away
		p.stopIdle(w, a)
		p.stats.Recycled++
		p.vacate(slot, a)
		return
	}
	w.class.idle = append(w.class.idle, w)
	w.rested = time.Now()
	w.class.tidyLater(w.rested)
	p.trim(a)
	if len(w.class.wide) > 0 {
		p.assign(w.class, a)
	}
	if slot > 0 {
		p.vacate(slot, a)
	}
}

// trim stops the worker that has been idle longest, when there are more idle ones
// than slots and spares.
func (p *Pool) trim(a *actions) {
	idle, most := 0, p.slots
	var oldest *worker
	for _, c := range p.order {
		idle += len(c.idle)
		most += c.prog.Spares
		if len(c.idle) > 0 && (oldest == nil || c.idle[0].rested.Before(oldest.rested)) {
			oldest = c.idle[0]
		}
	}
	if idle > most {
		oldest.class.idle = oldest.class.idle[1:]
		p.stopIdle(oldest, a)
	}
}

// startWorker makes a worker that will have the slot, or none yet with 0.
func (p *Pool) startWorker(c *class, slot int, a *actions) {
	w := newWorker(c, slot)
	p.workers = append(p.workers, w)
	c.workers = append(c.workers, w)
	c.starting++
	p.stats.Started++
	p.wg.Add(1)
	a.starts = append(a.starts, w)
	p.watch()
}

// forget removes a worker that has ended.
func (p *Pool) forget(w *worker) {
	c := w.class
	p.workers = slices.DeleteFunc(p.workers, func(x *worker) bool { return x == w })
	c.workers = slices.DeleteFunc(c.workers, func(x *worker) bool { return x == w })
	c.idle = slices.DeleteFunc(c.idle, func(x *worker) bool { return x == w })
	p.drop(c)
}

// drop forgets a class that has neither jobs nor workers: there may be as many
// programs as jobs. One that was given up is remembered, and the pool's own. The
// caller holds mu.
func (p *Pool) drop(c *class) {
	if c.isCommand || c.open > 0 || len(c.workers) > 0 || c.err != nil ||
		c.known != nil && !c.ready || c == p.own {
		return
	}
	delete(p.classes, c.key)
	p.order = slices.DeleteFunc(p.order, func(x *class) bool { return x == c })
	maps.DeleteFunc(p.byProgram, func(_ *Program, x *class) bool { return x == c })
}
