package pool

import (
	"errors"
	"fmt"
	"time"

	"github.com/feac4032/multiproc/internal/spawn"
)

// SetFrameTime changes the time that a frame may take to arrive.
func (c *Config) SetFrameTime(f func(time.Duration) time.Duration) { c.frameTime = f }

// SetJobTime changes what jobs are measured to take.
func (c *Config) SetJobTime(f func(time.Duration) time.Duration) { c.jobTime = f }

// Classes is how many the pool remembers, the commands included.
func (p *Pool) Classes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.order)
}

// AuditSlots finds slots that two have, or that somebody has and that are free.
func (p *Pool) AuditSlots() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	owners := map[int]string{}
	own := func(slot int, who string) error {
		switch {
		case owners[slot] != "":
			return fmt.Errorf("slot %d is that of %s and of %s", slot, owners[slot], who)
		case p.taken[slot] == (who == "nobody"):
			return fmt.Errorf("slot %d of %s: taken is %v", slot, who, p.taken[slot])
		}
		owners[slot] = who
		return nil
	}
	var err error
	for _, slot := range p.free {
		err = errors.Join(err, own(slot, "nobody"))
	}
	all := p.reservers(nil)
	for _, w := range p.workers {
		if w.slot > 0 {
			err = errors.Join(err, own(w.slot, w.name))
		}
		all = w.jobsOf(all)
	}
	for c := range p.running {
		all = append(all, c.j)
		if c.j.pending.state == jobRunning {
			err = errors.Join(err, own(int(c.j.pending.slot), label(c.j)))
		}
	}
	for _, j := range all {
		if w := j.pending.wide; w != nil {
			for _, slot := range w.slots {
				err = errors.Join(err, own(slot, label(j)))
			}
		}
	}
	if p.reserving != nil && len(p.free) > 0 {
		err = errors.Join(err, fmt.Errorf("%s collects slots, and %d are free", label(p.reserving), len(p.free)))
	}
	return err
}

// Fakes stand in for the guardian's enforcement of limits.
type Fakes struct {
	Usage  func(pid int) Usage
	Status func(*spawn.Status)
}

// Usage is what a process tells of itself.
type Usage = usage

// SetFakes makes limits and levels something that only the fakes know of.
func (c *Config) SetFakes(f Fakes) {
	if f.Usage == nil {
		f.Usage = func(int) Usage { return nil }
	}
	c.fakes = &fakes{usage: f.Usage, status: f.Status}
}

// Refuse makes the machine one that cannot do all.
func (p *Pool) Refuse(refuse func(*spawn.Spec) error) { p.able.Refuse = refuse }

// Placed is how many bytes of payloads the pool has put into the arenas of its
// workers. None may be under way.
func (p *Pool) Placed() (n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		n += w.shelf.Total()
	}
	return n
}
