package batch

import (
	"time"

	"github.com/feac4032/multiproc/pool"
)

// What the executor tells of instances: run is its Observer.

// Halting implements Observer.
func (r *run) Halting() bool { return r.level.Load() != running }

// Started implements Observer.
func (r *run) Started(in *Instance, a Attempt) {
	r.mu.Lock()
	in.waiting, in.active, in.since = "", true, time.Now()
	r.active++
	r.gates.started(in)
	if in.gated {
		r.work.Signal()
	}
	r.mu.Unlock()
	if r.cfg.Events != nil {
		r.eventStart(in.face(), a)
	}
}

// Retrying implements Observer.
func (r *run) Retrying(in *Instance, res *pool.Result, after time.Duration) {
	res, done := r.hidden(res)
	defer done()
	r.mu.Lock()
	r.tally.retried++
	in.waiting = causeOf(res)
	if in.waiting == "" {
		in.waiting = string(res.Outcome)
	}
	r.settled(in)
	r.leaked(res)
	if r.gates.release(in) {
		r.work.Signal()
	}
	late := r.Halting() // since it was asked; who halted did not know of this one
	r.mu.Unlock()
	if late {
		r.cancel([]*Instance{in})
	}
	r.flowEnds(in, cutOff(res))
	if r.led.journal != nil {
		r.led.attempt(attemptRow(in, in.state, res))
	}
	r.tellAttempt(in, res)
	r.log.Debug("retrying", "job", in.Label(), "outcome", string(res.Outcome), "after", after)
	if r.cfg.Events != nil {
		r.eventRetry(in.face(), res, after)
	}
}

// Again implements Observer.
func (r *run) Again(in *Instance) {
	r.mu.Lock()
	if r.Halting() { // nobody is at the gates any more
		r.mu.Unlock()
		r.cancel([]*Instance{in})
		return
	}
	in.returning = true
	r.returning = append(r.returning, in)
	r.work.Signal()
	r.mu.Unlock()
}

// settled counts the end of an attempt. The caller holds mu.
func (r *run) settled(in *Instance) {
	if in.active {
		in.active = false
		r.active--
	}
}

// Dropped implements Observer.
func (r *run) Dropped(in *Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled(in)
	r.tally.notStarted++
	r.leave(in)
}

// Done implements Observer.
func (r *run) Done(in *Instance, res *pool.Result) {
	if res.Outcome == pool.Internal && res.Which == pool.WhichStart {
		if r.noWorker(in, res) {
			return
		}
	}
	if in.Job.Stdout != nil && res.Outcome == pool.OK {
		r.place(in, res)
	}
	r.record(in, in.state, res)
	r.mu.Lock()
	r.leave(in)
	r.mu.Unlock()
}
