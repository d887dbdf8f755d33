package pool

import "time"

// backoff is a job between two attempts, which holds no slot. All fields are
// guarded by the pool's mutex.
type backoff struct {
	timer     *time.Timer
	over      bool // and it waits for Again
	telling   bool // Job.Again is being called
	cancelled bool // meanwhile
}

// wait lets j begin its next attempt after a while. The caller holds mu.
func (p *Pool) wait(j *Job, after time.Duration) {
	b := new(backoff)
	j.pending.state = jobWaiting
	p.waiting[j] = b
	b.timer = time.AfterFunc(max(0, after), func() { p.backedOff(j, b) })
}

// backedOff queues j again, or lets its owner decide when that is to be.
func (p *Pool) backedOff(j *Job, b *backoff) {
	var a actions
	p.mu.Lock()
	switch {
	case p.waiting[j] != b:
		p.mu.Unlock()
		return
	case j.Again == nil:
		delete(p.waiting, j)
		p.enqueue(j, &a)
		p.mu.Unlock()
		a.run(p)
		return
	}
	b.over, b.telling = true, true
	p.mu.Unlock()
	j.Again(j)
	// From here on j may have ended, and be another's.
	p.mu.Lock()
	b.telling = false
	if b.cancelled {
		a.finish(j, cancelledBetween(j))
	}
	p.mu.Unlock()
	a.run(p)
}

// Again queues a job for its next attempt, after Job.Again has been called for
// it: from any goroutine, in that call too. It does not wait. It reports whether
// the job waits for a slot now; one that was cancelled meanwhile does not, nor one
// for which Job.Again was not called, or Again was called before.
func (p *Pool) Again(j *Job) bool {
	a := actions{caller: true}
	p.mu.Lock()
	b := p.waiting[j]
	if b == nil || !b.over {
		p.mu.Unlock()
		return false
	}
	delete(p.waiting, j)
	p.enqueue(j, &a)
	p.mu.Unlock()
	a.run(p)
	return true
}

// endWait cancels a job between two attempts: at once, or when Job.Again has
// returned. The caller holds mu.
func (p *Pool) endWait(j *Job, a *actions) {
	b := p.waiting[j]
	b.timer.Stop()
	delete(p.waiting, j)
	j.pending.cancelled = true
	if b.telling {
		j.pending.state, b.cancelled = jobEnding, true
		return
	}
	a.finish(j, cancelledBetween(j))
}

func cancelledBetween(j *Job) *Result {
	return &Result{Outcome: Cancelled, Evidence: "cancelled between two attempts", ExitCode: -1, Attempt: j.pending.attempt}
}
