package pool

import "time"

// class is all that runs the same program; the commands are a class too, one
// that has no workers. Its fields are guarded by the pool's mutex.
type class struct {
	p         *Pool
	key       string // in the pool's classes
	prog      Program
	name      string
	isCommand bool

	queue    backlog
	wide     []*Job      // have the slots that they take, and wait for a worker
	workers  []*worker   // alive, in any state
	idle     []*worker   // ready, without a slot; the one that was used last is last
	chores   *time.Timer // looks for workers that have been idle for too long; nil = none is due
	starting int
	changed  chan struct{} // closed when a worker is ready or has ended, or may be started again; nil = nobody waits for that
	open     int           // jobs of it that Done has not been called for

	service time.Duration // how long a job takes, as measured; 0 = not known
	known   chan struct{} // closed once tasks or err is set; nil = nobody asked
	tasks   []string
	ready   bool  // a worker has been ready
	maps    bool  // and the last one that was takes jobs of many items
	err     error // the class is given up
	unfit   bool  // because of what this machine has not got

	deaths []time.Time // of workers that had not started a job, since one completed a job
	retry  time.Time   // no start before
	timer  *time.Timer // that ends the wait for retry
}

// announce wakes who waits for the tasks, once they are known.
func (c *class) announce() {
	if c.known == nil || !c.ready && c.err == nil {
		return
	}
	select {
	case <-c.known:
	default:
		close(c.known)
	}
}

// Windows: a worker is sent as many jobs ahead as it needs for flightTime, so
// that the time of a round trip hides behind work.
const flightTime = 5 * time.Millisecond

// window returns how many jobs a worker of this class may hold.
func (c *class) window(w *worker) int {
	if w.page == nil || w.slow || c.prog.Limits != nil {
		return w.threads
	}
	n := 1
	if c.service > 0 {
		n = int(flightTime / c.service)
	}
	return max(w.threads, min(n, w.grown, w.maxWindow))
}

// observe takes a measurement: a worker has answered n jobs in d.
func (c *class) observe(d time.Duration, n int) {
	each := max(d/time.Duration(n), 1)
	if c.p.cfg.jobTime != nil {
		each = c.p.cfg.jobTime(each)
	}
	if c.service == 0 {
		c.service = each
		return
	}
	c.service += (each - c.service) / 4
	c.service = max(c.service, 1)
}

// died counts the end of a worker that had not started a job, and reports
// whether the class is to be given up.
func (c *class) died(now time.Time) bool {
	c.deaths = append(c.deaths, now)
	for len(c.deaths) > 0 && now.Sub(c.deaths[0]) > c.p.cfg.Within {
		c.deaths = c.deaths[1:]
	}
	return len(c.deaths) > c.p.cfg.Restarts
}
