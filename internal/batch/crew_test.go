package batch

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// crew is an executor with slots, whose instances take time: in a bubble of time a
// run of hours is over at once. It retries as the jobs say, without jitter.
type crew struct {
	fake
	slots int
	// work says how long an attempt takes and how it ends. Nil is a second, and ok.
	work func(in *Instance, attempt int) (time.Duration, *pool.Result)
	// begun, if not nil, is told of each attempt as it starts, and gone as it ends.
	begun, gone func(in *Instance, attempt int)

	cm      sync.Mutex
	busy    int
	queue   []*shift
	shifts  map[*Instance]*shift
	starts  []start
	seq     int
	asked   int // Again was called
	cancels int
}

// shift is an instance in the crew's hands.
type shift struct {
	in      *Instance
	o       Observer
	attempt int
	seq     int
	state   string // queued, running, waiting, asking, over
	timer   *time.Timer
}

// start is an attempt that began.
type start struct {
	label   string
	attempt int
	at      time.Duration
	units   []string // that it holds
	items   int
}

// crewed gives a trial a crew.
func crewed(tr *trial, slots int) *crew {
	c := &crew{slots: slots, shifts: make(map[*Instance]*shift)}
	tr.cfg.Workers = slots
	tr.cfg.Executor, tr.ex = c, &c.fake
	return c
}

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when a bubble begins

func (c *crew) Submit(in *Instance, o Observer) error {
	c.cm.Lock()
	s := &shift{in: in, o: o, attempt: 1, seq: c.seq, state: "queued"}
	c.seq++
	c.shifts[in] = s
	c.queue = append(c.queue, s)
	c.cm.Unlock()
	c.look()
	return nil
}

func width(in *Instance) int { return max(1, in.Job.Slots) }

// look starts what there are slots for.
func (c *crew) look() {
	for {
		c.cm.Lock()
		slices.SortFunc(c.queue, func(a, b *shift) int {
			return cmp.Or(cmp.Compare(b.in.priority(), a.in.priority()), cmp.Compare(a.seq, b.seq))
		})
		if len(c.queue) == 0 || c.busy+width(c.queue[0].in) > c.slots {
			c.cm.Unlock()
			return
		}
		s := c.queue[0]
		c.queue = c.queue[1:]
		if s.o.Halting() {
			s.state = "over"
			c.cm.Unlock()
			c.turnAway(s)
			continue
		}
		c.busy += width(s.in)
		s.state = "running"
		st := start{label: s.in.Label(), attempt: s.attempt, at: time.Since(epoch), items: len(s.in.Items)}
		for _, h := range s.in.holds {
			for _, u := range h.units {
				st.units = append(st.units, fmt.Sprintf("%s/%s", h.of.of.Name, h.of.of.ID(u)))
			}
		}
		c.starts = append(c.starts, st)
		took, res := time.Second, ok()
		if c.work != nil {
			took, res = c.work(s.in, s.attempt)
		}
		res.Attempt, res.Wall = s.attempt, took
		attempt := s.attempt
		c.cm.Unlock()
		if c.begun != nil {
			c.begun(s.in, attempt)
		}
		s.o.Started(s.in, Attempt{Number: attempt, Slot: 1, PID: 100})
		c.cm.Lock()
		if s.state == "running" {
			s.timer = time.AfterFunc(took, func() { c.over(s, res) })
		}
		c.cm.Unlock()
	}
}

// turnAway ends what the halt of a run keeps from its next attempt.
func (c *crew) turnAway(s *shift) {
	if s.attempt == 1 {
		s.o.Dropped(s.in)
		return
	}
	s.o.Done(s.in, &pool.Result{Outcome: pool.Cancelled, ExitCode: -1, Attempt: s.attempt, PID: 100})
}

// over ends an attempt.
func (c *crew) over(s *shift, res *pool.Result) {
	c.cm.Lock()
	if s.state != "running" {
		c.cm.Unlock()
		return
	}
	c.busy -= width(s.in)
	retry := &s.in.Job.Retry
	again := s.attempt <= retry.Max && res.Outcome == pool.Failed && !s.o.Halting()
	if again {
		s.state = "waiting"
	} else {
		s.state = "over"
	}
	attempt := s.attempt
	c.cm.Unlock()
	if c.gone != nil {
		c.gone(s.in, attempt)
	}
	if !again {
		s.o.Done(s.in, res)
		c.look()
		return
	}
	s.o.Retrying(s.in, res, retry.Backoff)
	c.cm.Lock()
	s.attempt++
	if s.state == "waiting" {
		s.timer = time.AfterFunc(retry.Backoff, func() { c.backedOff(s) })
	}
	c.cm.Unlock()
	c.look()
}

func (c *crew) backedOff(s *shift) {
	c.cm.Lock()
	if s.state != "waiting" {
		c.cm.Unlock()
		return
	}
	if s.in.Gated() {
		s.state = "asking"
		c.asked++
		c.cm.Unlock()
		s.o.Again(s.in)
		return
	}
	s.state = "queued"
	c.queue = append(c.queue, s)
	c.cm.Unlock()
	c.look()
}

func (c *crew) Again(in *Instance) {
	c.cm.Lock()
	s := c.shifts[in]
	if s.state != "asking" {
		c.cm.Unlock()
		return
	}
	s.state = "queued"
	c.queue = append(c.queue, s)
	c.cm.Unlock()
	c.look()
}

func (c *crew) Cancel(in *Instance) {
	c.cm.Lock()
	s := c.shifts[in]
	if s == nil || s.state == "over" { // or it waits at the gates
		c.cm.Unlock()
		return
	}
	was := s.state
	c.cancels++
	s.state = "over"
	switch was {
	case "queued":
		c.queue = slices.DeleteFunc(c.queue, func(x *shift) bool { return x == s })
	case "running":
		c.busy -= width(in)
	}
	attempt := s.attempt
	c.cm.Unlock()
	if was == "running" && c.gone != nil {
		c.gone(in, attempt)
	}
	if was == "queued" {
		c.turnAway(s)
	} else {
		s.o.Done(in, &pool.Result{Outcome: pool.Cancelled, ExitCode: -1, Attempt: attempt, PID: 100})
	}
	c.look()
}

func (c *crew) Kill() {
	c.cm.Lock()
	var left []*Instance
	for in, s := range c.shifts {
		if s.state != "over" {
			left = append(left, in)
		}
	}
	c.cm.Unlock()
	for _, in := range left {
		c.Cancel(in)
	}
}

// began lists the labels of first attempts in their order.
func (c *crew) began() (labels []string) {
	c.cm.Lock()
	defer c.cm.Unlock()
	for _, s := range c.starts {
		if s.attempt == 1 {
			labels = append(labels, s.label)
		}
	}
	return labels
}

// first gives the start of an instance.
func (c *crew) first(label string) (s start, ok bool) {
	c.cm.Lock()
	defer c.cm.Unlock()
	i := slices.IndexFunc(c.starts, func(s start) bool { return s.label == label })
	if i < 0 {
		return start{}, false
	}
	return c.starts[i], true
}

// lasting gives all instances of a job the same time.
func lasting(d map[string]time.Duration, bad ...string) func(*Instance, int) (time.Duration, *pool.Result) {
	return func(in *Instance, _ int) (time.Duration, *pool.Result) {
		took, given := d[in.Job.ID]
		if !given {
			took = time.Second
		}
		if slices.Contains(bad, in.Label()) {
			return took, failed(1)
		}
		return took, ok()
	}
}
