package pool

// telling is how far Job.Started has got for an attempt. It is called once,
// before Retrying or Done: by whoever is the first to know that the job has
// started. The one that sends it, when the worker has nothing else; the monitor;
// or the one that takes the answer.
type telling uint8

const (
	untold telling = iota
	beingTold
	told
)

// toTell reports whether Started is to be called by the caller now, who calls
// tell after it has released mu, which it holds.
func (j *Job) toTell() bool {
	if j.Started == nil || j.pending.told != untold {
		return false
	}
	j.pending.told = beingTold
	return true
}

// tell calls Started after toTell.
func (w *worker) tell(j *Job) {
	s := &j.pending
	w.p.mu.Lock()
	attempt, slot := s.attempt+1, int(s.slot) // it may be given back meanwhile
	w.p.mu.Unlock()
	j.Started(j, attempt, slot, w.name, w.pid())
	w.p.mu.Lock()
	s.told = told
	w.p.tellings.Broadcast()
	w.p.mu.Unlock()
}

// told calls Started, or waits until another has, for a job that has ended. now
// is what toTell said when the job left the flight.
func (w *worker) told(j *Job, now bool) {
	if j.Started == nil {
		return
	}
	if now {
		w.tell(j)
		return
	}
	w.p.mu.Lock()
	for j.pending.told == beingTold {
		w.p.tellings.Wait()
	}
	w.p.mu.Unlock()
}
