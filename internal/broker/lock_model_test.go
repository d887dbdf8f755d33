package broker

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
)

// lockModel is what a lock and its conditions are, as plainly as it can be said:
// one list of who waits for the lock, one for each condition.
type lockModel struct {
	recursive bool
	holder    *actor
	depth     int
	signal    bool
	left      string
	robbed    map[*actor]bool
	line      []*actor
	waiting   [2][]*actor
}

// actor is an owner that does one thing at a time.
type actor struct {
	o     *owner.Owner
	name  string
	ended bool
	asked *probe

	depth    int   // of a condition's wait that takes its lock again
	outcome  error // of that wait
	notified int   // by which condition, -1 = none

	// What the model says of what was asked last.
	settled bool
	err     error
	told    string
}

func (m *lockModel) settle(a *actor, err error) { a.settled, a.err, a.told = true, err, "" }

func (m *lockModel) give(a *actor, depth int, err error) {
	delete(m.robbed, a)
	m.settle(a, err)
	a.told, m.left = m.left, ""
	m.holder, m.depth = a, depth
}

func (m *lockModel) free() {
	m.holder, m.depth = nil, 0
	if len(m.line) > 0 {
		next := m.line[0]
		m.line = m.line[1:]
		m.give(next, max(next.depth, 1), next.outcome)
	}
}

func (m *lockModel) acquire(a *actor) {
	a.depth, a.outcome, a.notified = 0, nil, -1
	switch {
	case a.ended && (m.holder == nil || m.holder != a):
		m.settle(a, ErrEnded)
	case m.holder == nil:
		m.give(a, 1, nil)
	case m.holder == a && m.recursive:
		m.depth++
		m.settle(a, nil)
	case m.holder == a && !m.signal:
		m.settle(a, owner.ErrDeadlock)
	default:
		a.settled = false
		m.line = append(m.line, a)
	}
}

func (m *lockModel) release(a *actor) (stranger bool, err error) {
	switch {
	case m.holder != a && m.robbed[a]:
		delete(m.robbed, a)
		return false, ErrTakenAway
	case a.ended:
		return false, ErrEnded
	case m.holder == nil:
		return false, ErrNotLocked
	case m.holder == a:
		if m.depth--; m.depth > 0 {
			return false, nil
		}
	case m.recursive:
		return false, ErrNotOwner
	default:
		stranger = true
		m.signal = true
		m.robbed[m.holder] = true
	}
	m.free()
	return stranger, nil
}

func (m *lockModel) wait(a *actor, c int) {
	a.outcome, a.notified = nil, -1
	if a.ended {
		m.settle(a, ErrEnded)
		return
	}
	if m.holder != a {
		m.settle(a, ErrNotOwner)
		return
	}
	a.settled = false
	a.depth = m.depth
	m.waiting[c] = append(m.waiting[c], a)
	m.free()
}

func (m *lockModel) notify(a *actor, c, n int) error {
	if a.ended {
		return ErrEnded
	}
	if m.holder != a {
		return ErrNotOwner
	}
	for ; n != 0 && len(m.waiting[c]) > 0; n-- {
		m.pass(c)
	}
	return nil
}

func (m *lockModel) pass(c int) {
	if len(m.waiting[c]) == 0 {
		return
	}
	a := m.waiting[c][0]
	m.waiting[c] = m.waiting[c][1:]
	a.notified = c
	m.line = append(m.line, a)
}

func (m *lockModel) cancel(a *actor, cause error) {
	if i := slices.Index(m.line, a); i >= 0 && a.depth == 0 {
		m.line = slices.Delete(m.line, i, i+1)
		m.settle(a, cause)
	}
	for c := range m.waiting {
		if i := slices.Index(m.waiting[c], a); i >= 0 {
			m.waiting[c] = slices.Delete(m.waiting[c], i, i+1)
			a.outcome = cause
			m.line = append(m.line, a)
			if m.holder == nil {
				m.free()
			}
		}
	}
}

func (m *lockModel) end(a *actor) {
	if a.ended {
		return
	}
	a.ended = true
	delete(m.robbed, a)
	for c := range m.waiting {
		if i := slices.Index(m.waiting[c], a); i >= 0 {
			m.waiting[c] = slices.Delete(m.waiting[c], i, i+1)
			m.settle(a, ErrEnded)
		}
	}
	if i := slices.Index(m.line, a); i >= 0 {
		m.line = slices.Delete(m.line, i, i+1)
		m.settle(a, ErrEnded)
		if a.notified >= 0 {
			m.pass(a.notified)
		}
	}
	if m.holder == a {
		m.left = a.name
		m.free()
	}
}

func TestLock_BehavesAsItsModel(t *testing.T) {
	t.Parallel()
	compare(t, func(h *history) {
		m := &lockModel{recursive: h.IntN(2) == 0, robbed: map[*actor]bool{}}
		l := NewLock("l", m.recursive)
		conditions := [2]*Condition{NewCondition("c0", l), NewCondition("c1", l)}
		made := 0
		fresh := func() *actor {
			made++
			name := fmt.Sprint("o", made)
			return &actor{o: newOwner(name), name: name, settled: true}
		}
		actors := []*actor{fresh(), fresh(), fresh(), fresh(), fresh(), fresh()}
		ask := func(a *actor, request func(*Ticket)) { a.asked = ask(h.t, a.o, request) }
		for range 300 {
			i := h.IntN(len(actors))
			a, c := actors[i], h.IntN(2)
			if op := h.IntN(100); a.settled {
				switch {
				case op < 30:
					h.step("%s acquires", a.name)
					m.acquire(a)
					ask(a, l.Acquire)
				case op < 50:
					h.step("%s releases", a.name)
					wantStranger, wantErr := m.release(a)
					stranger, err := l.Release(a.o)
					h.equal("stranger", stranger, wantStranger)
					h.equal("error", err, wantErr)
				case op < 75:
					h.step("%s waits for %d", a.name, c)
					m.wait(a, c)
					ask(a, conditions[c].Wait)
				case op < 92:
					n := h.IntN(4) - 1
					h.step("%s notifies %d of %d", a.name, n, c)
					h.equal("error", conditions[c].Notify(a.o, n), m.notify(a, c, n))
				default:
					h.step("%s ends", a.name)
					m.end(a)
					a.o.End(nil)
				}
			} else if op < 40 {
				cause := errors.New("cancelled")
				h.step("%s is cancelled", a.name)
				m.cancel(a, cause)
				a.asked.Cancel(cause)
			} else if op < 70 {
				h.step("%s ends", a.name)
				m.end(a)
				a.o.End(nil)
			}
			checkLock(h, l, conditions, m, actors)
			if a.ended && h.IntN(3) > 0 {
				actors[i] = fresh()
			}
		}
		for _, a := range actors {
			h.step("%s ends at last", a.name)
			m.end(a)
			a.o.End(nil)
			checkLock(h, l, conditions, m, actors)
			h.equal("parties", len(a.o.Parties()), 0)
		}
		if l.depth != 0 || !l.line.empty() || len(l.thefts)+len(l.waited) != 0 {
			h.failed("something is left when all have ended")
		}
	})
}

func checkLock(h *history, l *Lock, conditions [2]*Condition, m *lockModel, actors []*actor) {
	h.t.Helper()
	var holder *owner.Owner
	if m.holder != nil {
		holder = m.holder.o
	}
	h.equal("holder", l.holder.Load(), holder)
	if m.signal {
		holder = nil
	}
	h.equal("holder in the graph", l.Holder(), holder)
	h.equal("depth", l.depth, m.depth)
	h.equal("in line", l.line.n, len(m.line))
	h.equal("thefts", len(l.thefts), len(m.robbed))
	for i, c := range conditions {
		h.equal("waiting", c.line.n, len(m.waiting[i]))
	}
	for _, a := range actors {
		if a.asked == nil {
			continue
		}
		h.equal(a.name+" settled", a.asked.settled(), a.settled)
		if !a.settled {
			continue
		}
		if !errors.Is(a.asked.Err, a.err) {
			h.failed("%s: got %v, want %v", a.name, a.asked.Err, a.err)
		}
		told := ""
		if a.asked.Abandoned != nil {
			told = a.asked.Abandoned.Name
		}
		h.equal(a.name+" told", told, a.told)
	}
}

// Many locks, owners that do one thing at a time, and conditions: after each step
// nobody waits in a circle, and whoever was refused would have closed one.
func TestLock_NobodyWaitsInACircle(t *testing.T) {
	t.Parallel()
	refusals := 0
	compare(t, func(h *history) {
		type waiter struct {
			o     *owner.Owner
			asked *probe
			wants *Lock // what it asked for last, or waits to have again
		}
		var locks []*Lock
		var conditions []*Condition
		for i := range 5 {
			locks = append(locks, NewLock(fmt.Sprint("l", i), true))
			conditions = append(conditions, NewCondition(fmt.Sprint("c", i), locks[i]))
		}
		var all []*waiter
		for i := range 6 {
			all = append(all, &waiter{o: newOwner(fmt.Sprint("o", i))})
		}
		blocked := func(w *waiter) bool {
			return w.asked != nil && !w.asked.settled() && w.asked.at == station(w.wants)
		}
		of := func(o *owner.Owner) *waiter {
			return all[slices.IndexFunc(all, func(w *waiter) bool { return w.o == o })]
		}
		for range 400 {
			w := all[h.IntN(len(all))]
			i := h.IntN(len(locks))
			l := locks[i]
			name := w.o.Identity().Name
			switch op := h.IntN(100); {
			case w.asked != nil && !w.asked.settled():
				if op < 20 {
					h.step("%s is cancelled", name)
					w.asked.Cancel(errGone)
				}
			case op < 45:
				h.step("%s acquires %d", name, i)
				w.wants = l
				w.asked = ask(h.t, w.o, l.Acquire)
			case op < 60:
				h.step("%s releases %d", name, i)
				_, _ = l.Release(w.o)
			case op < 75:
				h.step("%s waits for %d", name, i)
				w.wants = l
				w.asked = ask(h.t, w.o, conditions[i].Wait)
			default:
				h.step("%s notifies %d", name, i)
				_ = conditions[i].Notify(w.o, -1)
			}
			for _, w := range all {
				var deadlock *owner.DeadlockError
				if w.asked != nil && w.asked.settled() && errors.As(w.asked.Err, &deadlock) {
					refusals++
					if len(deadlock.Cycle) < 2 {
						h.failed("recursive locks have no circle of one: %v", deadlock)
					}
					w.asked = nil
				}
			}
			for _, start := range all {
				at := start
				for range len(all) + 1 {
					if !blocked(at) {
						break
					}
					if at = of(at.wants.holder.Load()); at == start {
						h.failed("%v waits in a circle", start.o.Identity())
					}
				}
			}
		}
		for _, w := range all {
			w.o.End(nil)
		}
	})
	if refusals == 0 {
		t.Error("no history closed a circle")
	}
}
