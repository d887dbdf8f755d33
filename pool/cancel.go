package pool

// CancelState is what a call of Cancel has found.
type CancelState uint8

const (
	// TooLate: the job has ended, or was never given to the pool. Nothing changes.
	TooLate CancelState = iota
	// Dequeued: no attempt of it runs, and none will. It ends as Cancelled.
	Dequeued
	// Interrupting: it has been sent to a worker or runs as a command. It is taken
	// back if it has not started, else asked to end and killed after its KillAfter.
	// It ends as Cancelled, unless it came to another end before.
	Interrupting
)

func (s CancelState) String() string {
	switch s {
	case TooLate:
		return "too late"
	case Dequeued:
		return "dequeued"
	}
	return "interrupting"
}

// Cancel takes a job back: one that has not started ends as Cancelled, one that
// runs is interrupted and, KillAfter later, killed. It does not wait. Done is
// called in any case, and may still report another outcome if that came first. A
// job that is done, or was never given to the pool, is left alone.
func (p *Pool) Cancel(j *Job) CancelState {
	a := actions{caller: true}
	p.mu.Lock()
	state := p.cancel(j, &a)
	p.mu.Unlock()
	a.run(p)
	return state
}

func (p *Pool) cancel(j *Job, a *actions) CancelState {
	s := &j.pending
	switch {
	case s.state == jobNew || s.state == jobEnding || s.state == jobDone:
		return TooLate
	case s.cancelled:
		return Interrupting
	}
	s.cancelled = true
	switch s.state {
	case jobQueued:
		s.class.queue.remove(j)
		a.finish(j, &Result{Outcome: Cancelled, Evidence: "cancelled before it started", ExitCode: -1, Attempt: s.attempt})
		return Dequeued
	case jobReserving:
		p.forgetReserving(j)
		p.narrow(j, a)
		a.finish(j, &Result{Outcome: Cancelled, Evidence: "cancelled before it started", ExitCode: -1, Attempt: s.attempt})
		return Dequeued
	case jobWaiting:
		p.endWait(j, a)
		return Dequeued
	case jobFlying:
		return s.w.interrupt(j, a)
	case jobRunning:
		if s.c != nil { // else it has not begun, and looks before it does
			a.interrupt(s.c)
		}
	}
	return Interrupting
}
