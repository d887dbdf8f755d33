package pool

import (
	"fmt"
	"slices"
	"time"
)

// A job that takes several slots collects them. When its turn has come, every
// slot that becomes free is kept for it until it has enough, so that narrow jobs
// cannot starve it however many come. One job collects at a time, and while it
// does no slot is free; what is in use beyond its need goes to others. A command
// starts with its last slot, a task when its class has an idle worker besides.

// wide is what a job has that takes several slots.
type wide struct{ slots []int }

// isWide reports whether the job takes several slots.
func (j *Job) isWide() bool { return j.Slots > 1 }

// reserve lets the first job of c, which is wide, collect slots. The caller holds
// mu.
func (p *Pool) reserve(c *class, a *actions) {
	j := c.queue.popFront()
	if j.Slots > p.slots { // since Resize
		a.finish(j, tooWide(j, p.slots))
		return
	}
	j.pending.state = jobReserving
	j.pending.wide = new(wide)
	p.reserving = j
	p.collect(a)
}

// collect gives free slots to the job that waits for them, and the job to whoever
// runs it once it has them all. The caller holds mu.
func (p *Pool) collect(a *actions) {
	j := p.reserving
	if j == nil {
		return
	}
	s := &j.pending
	for len(p.free) > 0 && len(s.wide.slots) < j.Slots {
		s.wide.slots = append(s.wide.slots, p.takeSlot())
	}
	if len(s.wide.slots) < j.Slots {
		return
	}
	p.reserving = nil
	slices.Sort(s.wide.slots)
	if c := s.class; !c.isCommand {
		c.wide = append(c.wide, j)
		p.assign(c, a)
		return
	}
	p.launch(j, s.firstSlot(), a)
}

// firstSlot takes the lowest of a wide job's slots. The others stay with the job,
// until narrow.
func (s *pendingState) firstSlot() int {
	slot := s.wide.slots[0]
	s.wide.slots = s.wide.slots[1:]
	return slot
}

// assign gives the wide jobs of c that have their slots to idle workers, and
// starts workers for those that find none. The caller holds mu.
func (p *Pool) assign(c *class, a *actions) {
	for len(c.wide) > 0 && c.wakes(a) {
		j := c.wide[0]
		c.wide = slices.Delete(c.wide, 0, 1)
		w := c.idle[len(c.idle)-1]
		c.idle = c.idle[:len(c.idle)-1]
		w.slot, w.since = j.pending.firstSlot(), time.Now()
		inline, _ := w.inline(j)
		w.give(j, inline)
		w.alone = true
		w.kick(a)
		p.watch()
	}
	if len(c.wide) == 0 || c.err != nil || time.Now().Before(c.retry) {
		return
	}
	coming := 0 // workers that will be idle
	for _, w := range c.workers {
		if w.state == workerStarting && w.slot == 0 && !w.dead {
			coming++
		}
	}
	for ; coming < len(c.wide); coming++ {
		p.startWorker(c, 0, a)
	}
}

// narrow gives back the slots that a wide job has: while it runs, those beyond the
// first, which its worker has, or its command. The caller holds mu.
func (p *Pool) narrow(j *Job, a *actions) {
	w := j.pending.wide
	j.pending.wide = nil
	p.vacateAll(w, a)
}

func (p *Pool) vacateAll(w *wide, a *actions) {
	if w == nil {
		return
	}
	for _, slot := range w.slots {
		p.vacate(slot, a)
	}
}

// forgetReserving takes out a job that has slots and has not started. narrow has to
// follow. The caller holds mu.
func (p *Pool) forgetReserving(j *Job) {
	if p.reserving == j {
		p.reserving = nil
		return
	}
	c := j.pending.class
	c.wide = slices.DeleteFunc(c.wide, func(x *Job) bool { return x == j })
}

// reservers returns the jobs that have slots and have not started, of c or, with
// nil, of all classes; in their order. The caller holds mu.
func (p *Pool) reservers(c *class) (all []*Job) {
	for _, x := range p.order {
		if c == nil || c == x {
			all = append(all, x.wide...)
		}
	}
	if j := p.reserving; j != nil && (c == nil || c == j.pending.class) {
		all = append(all, j)
	}
	return all
}

// dropReservers is reservers, and takes them all out first: nobody of them gets what
// another gives back. narrow has to follow for each.
func (p *Pool) dropReservers(c *class) []*Job {
	all := p.reservers(c)
	for _, j := range all {
		p.forgetReserving(j)
	}
	return all
}

// requeueReservers lets all that collect slots begin again, with others: Resize
// may have taken theirs away. freeSlots has to follow. The caller holds mu.
func (p *Pool) requeueReservers() {
	for _, j := range slices.Backward(p.dropReservers(nil)) {
		s := &j.pending
		for _, slot := range s.wide.slots {
			p.taken[slot] = false
		}
		s.wide = nil
		s.state = jobQueued
		s.class.queue.pushFront(j)
	}
}

// tooWide is the end of a job that takes more slots than there are since Resize.
func tooWide(j *Job, slots int) *Result {
	err := tooWideError(j, slots)
	return &Result{Outcome: Failed, Which: WhichSlots, Evidence: err.Error(), ExitCode: -1, Attempt: j.pending.attempt + 1, err: err}
}

func tooWideError(j *Job, slots int) error {
	return fmt.Errorf("%w: %s takes %d slots, the pool has %d: take fewer, or Resize it first", ErrJob, label(j), j.Slots, slots)
}
