package worker

import "sync"

// Who waits for the reply to a call reads the link itself: to be woken by another
// goroutine that has read the reply costs more than most calls do, and most of all
// where that is done by another thread. Meanwhile the reader stands aside. It does so
// once a job has made a second call, and comes back when the job has ended, when a
// reply keeps who waits for it from waiting awake, when something else is waited for
// that comes over the link, and when nobody has led for a tick.

// reading is who reads the link: the reader, or a leader.
type reading struct {
	mu    sync.Mutex
	calls int           // replies that were waited for since the worker was idle, or a lead was in vain
	jobs  int           // that came alone, to a worker without others, one after the other
	aside bool          // the reader is not reading
	led   bool          // a leader is
	asked bool          // the reader is to come back after that
	leads uint64        // how often one was, so far
	seen  uint64        // what the last tick saw of that
	over  bool          // the reader reads to the end
	err   error         // of the link, met by a leader
	back  chan struct{} // the reader is to read on
}

// leadFrom is the call of a job from which on it may lead: one with a single call
// gains nothing by the reader's going and coming.
const leadFrom = 2

// singlesFrom is the job that came alone from which on the next one is read by who
// runs it.
const singlesFrom = 8

// stepAside lets those read who wait for replies, if there may be any. The error is
// the end of the link.
func (s *server) stepAside() error {
	r := &s.reading
	r.mu.Lock()
	r.aside = (r.calls >= leadFrom || r.jobs >= singlesFrom) && !r.over && s.threads == 1 && !s.reader.Ready() && s.reader.Awake()
	aside := r.aside
	r.mu.Unlock()
	if !aside {
		return nil
	}
	s.out.keepTicking()
	if s.queue.idle() { // since before it could be told
		s.readOn()
	}
	<-r.back
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Lead implements remote.Leader.
func (s *server) Lead(done, ended <-chan struct{}) bool {
	r := &s.reading
	r.mu.Lock()
	if !r.aside || r.led {
		r.calls++
		r.mu.Unlock()
		return false
	}
	r.led = true
	r.leads++
	r.mu.Unlock()
	answered, err := s.leadUntil(done, ended)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.led, r.err = false, err
	if !answered {
		r.calls = 0
	}
	if !answered || r.asked || s.client.Waiters() > 1 {
		r.readOn()
	}
	return answered
}

// leadUntil takes what comes until done does, ended is closed, or nothing has come for
// a while. Others may keep the link busy for as long as they like, so it looks at ended
// whatever comes.
func (s *server) leadUntil(done, ended <-chan struct{}) (answered bool, err error) {
	for {
		select {
		case <-done:
			return true, nil
		default:
		}
		select {
		case <-ended:
			return false, nil
		default:
		}
		s.reader.Eager()
		if !s.reader.Await() {
			return false, nil
		}
		if err := s.readBatch(); err != nil {
			return false, err
		}
	}
}

// ReadOn implements remote.Leader.
func (s *server) ReadOn() { s.readOn() }

// readOn brings the reader back.
func (s *server) readOn() {
	r := &s.reading
	r.mu.Lock()
	r.readOn()
	r.mu.Unlock()
}

// readOn brings the reader back; a leader does that when it is done. The caller
// holds mu.
func (r *reading) readOn() {
	if !r.aside || r.led {
		r.asked = r.aside
		return
	}
	r.aside, r.asked = false, false
	r.back <- struct{}{} // there is room: it is sent once for each time aside
}

// awaitJob is for a worker that has nothing to do: its next job has to be read, by the
// reader or, if that stands aside and jobs come singly, here.
func (s *server) awaitJob() {
	s.out.flush()
	r := &s.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = 0
	if !r.aside || r.led || r.jobs < singlesFrom || s.client.Waiters() > 0 {
		r.readOn()
		return
	}
	r.led = true
	r.leads++
	r.mu.Unlock()
	err := s.leadToJob()
	r.mu.Lock()
	r.led, r.err = false, err
	if err != nil || r.asked || r.jobs < singlesFrom {
		r.readOn()
		return
	}
	s.out.keepTicking() // while the job runs, if it takes long, the reader has to read
}

// leadToJob reads until there is a job to run, the queue is closed, or nothing has come
// for a while.
func (s *server) leadToJob() error {
	for s.queue.dry() {
		s.reader.Eager()
		if !s.reader.Await() {
			s.came(0, true)
			return nil
		}
		if err := s.readBatch(); err != nil {
			return err
		}
	}
	return nil
}

// came counts the jobs that come alone to a worker without others. n were read
// together; 0 is a wait that was in vain.
func (s *server) came(n int, idle bool) {
	if s.threads > 1 {
		return
	}
	r := &s.reading
	r.mu.Lock()
	if r.jobs++; n != 1 || !idle {
		r.jobs = 0
	}
	r.mu.Unlock()
}

// readToTheEnd brings the reader back for good.
func (s *server) readToTheEnd() {
	r := &s.reading
	r.mu.Lock()
	r.over = true
	r.readOn()
	r.mu.Unlock()
}

// unled brings the reader back when nobody has led for a tick. It reports whether it
// is still aside.
func (s *server) unled() bool {
	r := &s.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.aside {
		return false
	}
	if r.leads == r.seen {
		r.readOn()
	}
	r.seen = r.leads
	return r.aside
}
