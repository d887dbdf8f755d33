package pool

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// Who waits for the only job of a worker reads the worker's link itself: to be
// woken by another goroutine that has read the answer costs more than most such
// jobs. Meanwhile the worker's own reader stands aside. It does so once somebody
// has waited for the last answer, and comes back when nobody has led for a tick of
// the monitor, when a job is sent for which nobody leads, and when the process has
// ended.

// reading is who reads a worker's link: its reader, or a leader. Guarded by the
// pool's mutex.
type reading struct {
	wanted bool          // somebody waits for an answer, and could have led
	aside  bool          // the reader is not reading
	led    bool          // a leader is
	leads  uint64        // how often one was, so far
	seen   uint64        // what the monitor saw of that
	ended  bool          // the process, while somebody led
	err    error         // of the link, met by a leader
	back   chan struct{} // the reader is to read on
}

// stepAside lets leaders read, if there may be any. The error is the end of the
// link.
func (w *worker) stepAside() error {
	r := &w.reading
	w.p.mu.Lock()
	aside := r.wanted && w.threads == 1 && w.flight.n == 0 && w.state == workerReady && !w.dead && !w.leaving
	r.wanted, r.aside = false, aside
	if aside {
		w.p.watch()
	}
	w.p.mu.Unlock()
	if !aside {
		return nil
	}
	select {
	case <-r.back:
	case <-w.proc.Exited():
		w.p.mu.Lock()
		r.ended = true
		w.readOn()
		w.p.mu.Unlock()
		<-r.back
	}
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return r.err
}

// readOn brings the reader back, unless a leader reads: that one does it then. The
// caller holds mu.
func (w *worker) readOn() {
	if r := &w.reading; r.aside && !r.led {
		r.aside = false
		r.back <- struct{}{} // there is room: it is sent once for each time aside
	}
}

// unled brings the reader back when nobody has led for a tick. It reports whether
// it is still aside. The caller holds mu.
func (w *worker) unled() bool {
	r := &w.reading
	if !r.aside || r.led {
		return r.led
	}
	if r.leads == r.seen {
		w.readOn()
	}
	r.seen = r.leads
	return r.aside
}

// lead reads the answer to j, if that is the only job of its worker and nobody
// else reads. It returns when the job is no more there, ctx has ended, or somebody
// else is to read on.
func (p *Pool) lead(ctx context.Context, j *Job) {
	s := &j.pending
	p.mu.Lock()
	s.leads = false
	w := s.w
	if s.state != jobFlying || w == nil {
		p.mu.Unlock()
		return
	}
	r := &w.reading
	if !r.aside || r.led || w.flight.n != 1 {
		r.wanted = true
		w.readOn()
		p.mu.Unlock()
		return
	}
	r.led = true
	r.leads++
	p.mu.Unlock()
	err := errLeft
	defer func() {
		if v := recover(); v != nil {
			// Of a callback: as on any goroutine of the pool it ends the program.
			go panic(fmt.Sprintf("%v\n\n%s", v, debug.Stack()))
			select {}
		}
		p.mu.Lock()
		r.led = false
		r.err = err
		if err != nil || w.flight.n > 0 || r.ended || w.dead || w.state != workerReady {
			w.readOn()
		}
		p.mu.Unlock()
	}()
	for {
		p.mu.Lock()
		there := s.w == w && s.state == jobFlying && w.flight.get(s.id) == j
		p.mu.Unlock()
		if !there || ctx.Err() != nil {
			err = nil
			return
		}
		err = errLeft
		w.link.Reader().Eager() // to let others have their turn first would wake a thread for them
		if err = w.readBatch(ctx); err != nil {
			return
		}
	}
}

// errLeft is the end of a link whose leader was ended by runtime.Goexit, in a
// callback.
var errLeft = errors.New("a callback did not return")
