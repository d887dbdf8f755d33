package batch

import (
	"fmt"
	"slices"
	"time"

	"github.com/feac4032/multiproc/config"
)

// gates hold instances back that need more than a slot: units of resources,
// memory, a turn of their rate, several slots, or a machine that is not too busy.
// Such an instance is handed to the executor once it has all of it, with as many
// others as there are slots, and in front of those that need nothing.
//
// What an instance waits for is kept from those behind it, so that one which needs
// much is not passed by others for ever. Its fields are guarded by run.mu.
type gates struct {
	stocks  map[*config.Resource]*stock
	memory  int64 // that attempts may take in all; 0 = not known
	used    int64 // that those under way were said to take
	ahead   int   // admitted and not started
	slots   int
	machine *Machine // nil = it is not looked at
	wake    *time.Timer
	wakeAt  time.Time
}

func newGates(f *config.File, workers int, m *Machine) *gates {
	g := &gates{stocks: make(map[*config.Resource]*stock, len(f.Resources)), memory: f.Memory, slots: workers, machine: m}
	for _, r := range f.Resources {
		g.stocks[r] = newStock(r)
	}
	if g.memory == 0 {
		g.memory = totalMemory()
	}
	return g
}

// gated reports whether instances of a job have to be admitted.
func (g *gates) gated(j *config.Job) bool {
	return len(j.Uses) > 0 || j.Memory > 0 || j.Slots > 1 || j.Rate.Per > 0 || g.machine != nil
}

// fits finds what no run with so many slots on this machine can give.
func (g *gates) fits(f *config.File) (problems []string) {
	for _, j := range f.Jobs {
		at := fmt.Sprintf("%s:%d:%d: job %s", f.Path, j.Pos.Line, j.Pos.Col, j.ID)
		switch {
		case j.Slots > g.slots:
			problems = append(problems, fmt.Sprintf("%s: uses %d slots, the run has %d (-workers)", at, j.Slots, g.slots))
		case j.Memory > 0 && g.memory == 0:
			problems = append(problems, fmt.Sprintf("%s: uses memory, and how much there is cannot be found out here: say it with resources: {memory: SIZE}", at))
		case j.Memory > g.memory:
			problems = append(problems, fmt.Sprintf("%s: uses %d bytes of memory, there are %d", at, j.Memory, g.memory))
		}
	}
	return problems
}

// pass is one look at who may start. Those that wait for something keep it from
// those who are asked later.
type pass struct {
	now    time.Time
	stocks []*stock
	memory bool
	all    bool // nobody may start
	wake   time.Time
}

func (p *pass) later(t time.Time) {
	if p.wake.IsZero() || t.Before(p.wake) {
		p.wake = t
	}
}

// admit gives a job's next instance, or one that waits for another attempt, what it
// needs. again is what that one had; where its worker was started for those units
// it gets the same.
func (g *gates) admit(p *pass, js *jobState, again []hold) (holds []hold, ok bool) {
	j := js.plan.job
	if p.all || g.ahead >= g.slots {
		return nil, false
	}
	if g.machine != nil {
		if ok, retry := g.machine.free(p.now); !ok {
			p.all = true
			p.later(p.now.Add(retry))
			return nil, false
		}
	}
	ok = true
	for _, u := range j.Uses {
		s := g.stocks[u.Resource]
		if len(s.free) < u.Count || slices.Contains(p.stocks, s) {
			ok = false
		}
	}
	short := j.Memory > 0 && (p.memory || g.used+j.Memory > g.memory)
	if !ok || short {
		for _, u := range j.Uses {
			p.stocks = append(p.stocks, g.stocks[u.Resource])
		}
		p.memory = p.memory || short
		return nil, false
	}
	if turn, ok := js.pace.turn(p.now, j.Rate); !ok {
		p.later(turn)
		return nil, false
	}
	if again != nil && j.Kind == config.Task {
		for i, h := range again {
			if !h.takeSame() {
				for _, taken := range again[:i] {
					taken.giveBack()
				}
				p.stocks = append(p.stocks, h.of)
				return nil, false
			}
		}
		holds = again
	} else {
		for _, u := range j.Uses {
			holds = append(holds, g.stocks[u.Resource].take(u.Count))
		}
	}
	js.pace.taken(p.now, j.Rate)
	g.used += j.Memory
	g.ahead++
	return holds, true
}

// started counts that an admitted instance has a slot.
func (g *gates) started(in *Instance) {
	if in.gated && !in.begun {
		in.begun = true
		g.ahead--
	}
}

// release takes back what an attempt had. It reports whether there was anything.
func (g *gates) release(in *Instance) bool {
	if !in.gated {
		return false
	}
	g.started(in)
	in.gated, in.begun = false, false
	for _, h := range in.holds {
		h.giveBack()
	}
	g.used -= in.Job.Memory
	return true
}

// pace spreads the starts of a job over time (a leaky bucket): one that has waited
// for nothing for a while may make up for a moment of it, not for more.
type pace struct{ next time.Time }

const paceSlack = 50 * time.Millisecond

// turn gives when the next start may be, true = now.
func (p *pace) turn(now time.Time, r config.Rate) (time.Time, bool) {
	return p.next, r.Per <= 0 || !now.Before(p.next)
}

func (p *pace) taken(now time.Time, r config.Rate) {
	if r.Per <= 0 {
		return
	}
	each := (r.Per + time.Duration(r.Count) - 1) / time.Duration(r.Count)
	floor := now.Add(-min(paceSlack, each))
	switch {
	case p.next.IsZero():
		p.next = now // the first one makes up for nothing
	case p.next.Before(floor):
		p.next = floor
	}
	p.next = p.next.Add(each)
}

// wakeLater has the dispatcher look again when what it was told to wait for is due.
func (g *gates) wakeLater(r *run, p *pass) {
	if p.wake.IsZero() || g.wake != nil && !g.wakeAt.IsZero() && !p.wake.Before(g.wakeAt) {
		return
	}
	if g.wake != nil {
		g.wake.Stop()
	}
	g.wakeAt = p.wake
	g.wake = time.AfterFunc(p.wake.Sub(p.now), func() {
		r.mu.Lock()
		g.wakeAt = time.Time{}
		r.work.Signal()
		r.mu.Unlock()
	})
}

// quiet stops the timer.
func (g *gates) quiet() {
	if g.wake != nil {
		g.wake.Stop()
	}
}
