package pool

import "sync"

// relay hands the newest report to a function of the user's that may be slow, and
// never holds up the link.
type relay struct {
	call func(payload []byte) error

	mu      sync.Mutex
	newest  []byte
	some    bool // newest is not yet handed on
	running bool
}

func newRelay(call func([]byte) error) *relay { return &relay{call: call} }

// put is a Job's Progress.
func (r *relay) put(j *Job, payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.newest = append([]byte(nil), payload...)
	r.some = true
	if !r.running {
		r.running = true
		go r.run(j.pending.class.p, label(j))
	}
}

func (r *relay) run(p *Pool, job string) {
	for {
		r.mu.Lock()
		payload := r.newest
		if !r.some {
			r.running = false
			r.mu.Unlock()
			return
		}
		r.some = false
		r.mu.Unlock()
		r.hand(p, job, payload)
	}
}

func (r *relay) hand(p *Pool, job string, payload []byte) {
	over := false
	defer func() {
		if v := recover(); v != nil {
			p.survive(job, v)
		} else if !over { // it has called runtime.Goexit: this goroutine ends
			go r.run(p, job)
		}
	}()
	if err := r.call(payload); err != nil {
		p.log.Warn("progress does not decode", "job", job, "error", err)
	}
	over = true
}
