package pool

import "fmt"

// maxSlots is the most slots that a pool can have.
const maxSlots = 1 << 20

// Resize changes the number of slots to n, at least 1, as if Config.Workers had
// been that. It does not wait. New slots are used at once. Of slots that go, those
// in use are given up when their job is done: nothing is interrupted, and what
// waited in their workers goes elsewhere. Their workers end. A job that waits, and
// takes more slots than there are now, ends as Failed, WhichSlots, when its turn
// has come. Errors: ErrClosed, or
// that n cannot be meant.
func (p *Pool) Resize(n int) error {
	if n < 1 || n > maxSlots {
		return fmt.Errorf("pool: resize to %d slots, want 1 to %d", n, maxSlots)
	}
	var a actions
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	p.slots = n
	p.requeueReservers()
	p.freeSlots()
	for _, w := range p.workers {
		if w.slot > n && w.flight.n > w.threads && w.cancels && w.state == workerReady && !w.dead {
			w.recall(&a)
		}
	}
	p.shed(&a)
	p.allot(&a)
	p.mu.Unlock()
	a.run(p)
	return nil
}

// freeSlots makes the list of slots that nobody has. The caller holds mu.
func (p *Pool) freeSlots() {
	for len(p.taken) <= p.slots {
		p.taken = append(p.taken, false)
	}
	p.free = p.free[:0]
	for slot := p.slots; slot >= 1; slot-- {
		if !p.taken[slot] {
			p.free = append(p.free, slot)
		}
	}
}

// shed stops idle workers while there are more workers than slots and spares. The
// caller holds mu.
func (p *Pool) shed(a *actions) {
	alive, most := 0, p.slots
	for _, c := range p.order {
		most += c.prog.Spares
	}
	for _, w := range p.workers {
		if w.state != workerStopping {
			alive++
		}
	}
	for _, c := range p.order {
		for alive > most && len(c.idle) > 0 {
			w := c.idle[0]
			c.idle = c.idle[1:]
			p.stopIdle(w, a)
			p.stats.Recycled++
			alive--
		}
	}
}
