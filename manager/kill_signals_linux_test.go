package manager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/psync"
)

// condition makes a condition, and returns orders for it.
func (s *stage) condition() (acquire, release, wait, notify order) {
	name := s.name("condition")
	_, err := manager.NewCondition(s.m, name, nil)
	s.must(err)
	o := order{Kind: manager.KindCondition, On: name, K: 1}
	acquire, release, wait, notify = o, o, o, o
	acquire.Do, release.Do, wait.Do, notify.Do = "acquire", "release", "wait", "notify"
	return
}

// waitsOn has a party wait on a condition; it does when others get the lock.
func (s *stage) waitsOn(p *party, acquire, wait order) *doing {
	s.t.Helper()
	acquire.K = 1 + s.IntN(3)
	p.do(s, acquire)
	d := p.start(s, wait)
	ctx := s.owned()
	l, err := hold(ctx, acquire.Kind, acquire.On)
	s.must(err)
	held, err := l.Acquire(ctx)
	s.must(err)
	s.must(held.Release())
	wait.K = acquire.K
	d.o = wait // as often as it is to be released
	return d
}

// leaves has a waiter that was woken release the lock.
func (d *doing) leaves(s *stage, release order) answer {
	s.t.Helper()
	a := d.finish(s)
	release.K = d.o.K
	d.p.do(s, release)
	return a
}

// waiterOnCondition: a party ends that waits, before another one or after it. A
// notification of all reaches that.
func waiterOnCondition(s *stage, others troupe, e *ending) {
	s.t.Helper()
	acquire, release, wait, notify := s.condition()
	notifier, rest := s.one(others)
	v := s.victim(e)
	line := []*party{v, rest[0], rest[1]}
	s.Shuffle(len(line), func(i, j int) { line[i], line[j] = line[j], line[i] })
	var waits []*doing
	for _, p := range line {
		if d := s.waitsOn(p, acquire, wait); p != v {
			waits = append(waits, d)
		}
	}
	s.end(v, e)
	if s.IntN(2) == 0 {
		s.dead(v, e)
		defer s.free(acquire.Kind, acquire.On)
	} else {
		defer func() { s.dead(v, e); s.drain(acquire) }()
	}
	notifier.do(s, acquire)
	notify.K = 3
	notifier.do(s, notify)
	notifier.do(s, release)
	for _, d := range waits {
		d.leaves(s, release)
	}
}

// drain takes a lock that may have been abandoned by the victim, and gives it back.
func (s *stage) drain(acquire order) {
	s.t.Helper()
	ctx := s.owned()
	l, err := hold(ctx, acquire.Kind, acquire.On)
	s.must(err)
	held, err := l.TryAcquire(ctx)
	s.must(err)
	s.must(held.Release())
	s.free(acquire.Kind, acquire.On)
}

// holderWhenWaiterGivesUp: a party ends with the lock that another one has to take
// again because it waits no longer. That one is told too.
func holderWhenWaiterGivesUp(s *stage, others troupe, e *ending) {
	s.t.Helper()
	acquire, release, wait, _ := s.condition()
	other, _ := s.one(others)
	v := s.victim(e)
	d := s.waitsOn(other, acquire, wait)
	acquire.K = 1 + s.IntN(3)
	v.do(s, acquire)
	other.do(s, order{Do: "give up"})
	s.end(v, e)
	a := d.await(s)
	if len(a.Left) != 1 || !strings.Contains(fmt.Sprint(a.err()), context.Canceled.Error()) {
		s.t.Fatalf("abandoned by %+v, %v", a.Left, a.err())
	}
	s.blames(a.Left[0], v, e)
	s.dead(v, e)
	release.K = d.o.K
	other.do(s, release)
	s.free(acquire.Kind, acquire.On)
}

// notifiedWaiter: a party ends that was notified and cannot yet have the lock. The
// notification goes to the one that waits behind it.
func notifiedWaiter(s *stage, others troupe, e *ending) {
	s.t.Helper()
	acquire, release, wait, notify := s.condition()
	notifier, rest := s.one(others)
	v := s.victim(e)
	s.waitsOn(v, acquire, wait)
	d := s.waitsOn(rest[0], acquire, wait)
	notifier.do(s, acquire)
	if s.IntN(2) == 0 {
		notifier.do(s, notify)
		s.end(v, e)
	} else {
		s.end(v, e)
		notifier.do(s, notify)
	}
	s.dead(v, e)
	notifier.do(s, release)
	d.leaves(s, release)
	s.free(acquire.Kind, acquire.On)
}

// wokenWaiter: a party ends that was notified, at a moment when it may have the
// lock again, or have had it. Either the notification goes to the one behind, or
// the lock is left by the one that had it.
func wokenWaiter(s *stage, others troupe, e *ending) {
	s.t.Helper()
	acquire, release, wait, notify := s.condition()
	notifier, rest := s.one(others)
	v := s.victim(e)
	s.waitsOn(v, acquire, wait)
	d := s.waitsOn(rest[0], acquire, wait)
	notifier.do(s, acquire)
	notifier.do(s, notify)
	released := notifier.start(s, release)
	s.end(v, e)
	released.finish(s)
	s.dead(v, e)
	// Who asks now is told whose the lock was, unless the one behind was woken and
	// has the lock, or will have it.
	asked := rest[1].start(s, acquire)
	select {
	case a := <-asked.done:
		s.must(a.err())
		if len(a.Left) != 1 {
			s.t.Fatalf("the notification is gone: the lock was free, and left by %+v", a.Left)
		}
		s.blames(a.Left[0], v, e)
		rest[1].do(s, notify)
		rest[1].do(s, release)
		d.leaves(s, release)
	case a := <-d.done:
		s.must(a.err())
		// It may have the lock from the victim, which had it for a moment.
		for _, l := range a.Left {
			s.blames(l, v, e)
		}
		release.K = d.o.K
		d.p.do(s, release)
		asked.finish(s)
		release.K = 1
		rest[1].do(s, release)
	}
	s.free(acquire.Kind, acquire.On)
}

// waiterForEvent: a party ends that waits. The others see the event set.
func waiterForEvent(s *stage, others troupe, e *ending) {
	s.t.Helper()
	name := s.name("event")
	ev, err := manager.NewEvent(s.m, name)
	s.must(err)
	o := order{Do: "wait", Kind: manager.KindEvent, On: name}
	setter, rest := s.one(others)
	v := s.victim(e)
	v.start(s, o)
	waits := []*doing{rest[0].start(s, o)}
	s.end(v, e)
	waits = append(waits, rest[1].start(s, o))
	if s.IntN(2) == 0 {
		s.dead(v, e)
	} else {
		defer s.dead(v, e)
	}
	o.Do = "set"
	setter.do(s, o)
	for _, d := range waits {
		d.finish(s)
	}
	if set, err := ev.IsSet(s.ctx); !set || err != nil {
		s.t.Errorf("event is set: %v, %v", set, err)
	}
}

// waiterAtBarrier: a party ends that waits. The barrier breaks for those who wait
// with it and those who come; after a reset it is as new.
func waiterAtBarrier(s *stage, others troupe, e *ending) {
	s.t.Helper()
	name := s.name("barrier")
	n := len(others)
	b, err := manager.NewBarrier(s.m, name, n, nil)
	s.must(err)
	o := order{Do: "wait", Kind: manager.KindBarrier, On: name}
	last, rest := s.one(others)
	v := s.victim(e)
	early := v.start(s, o)
	waits := []*doing{rest[0].start(s, o)}
	for { // both are on their way to it
		waiting, err := b.Waiting(s.ctx)
		s.must(err)
		if waiting == 2 {
			break
		}
		select {
		case a := <-early.done:
			s.t.Fatalf("the victim did not wait: %v", a.err())
		default:
		}
	}
	s.end(v, e)
	if s.IntN(2) == 0 {
		s.dead(v, e)
		waits = append(waits, last.start(s, o))
		for _, d := range waits {
			if a := d.await(s); !errors.Is(a.err(), psync.ErrBroken) {
				s.t.Errorf("%s: index %d, %v; want ErrBroken", d.p.name, a.Result, a.err())
			}
		}
	} else {
		// The last one may come before the end is seen: then all were there.
		waits = append(waits, last.start(s, o))
		first, second := waits[0].await(s), waits[1].await(s)
		if errors.Is(first.err(), psync.ErrBroken) != errors.Is(second.err(), psync.ErrBroken) {
			s.t.Errorf("the barrier is %v for one and %v for the other", first.err(), second.err())
		}
		s.dead(v, e)
	}
	s.must(b.Reset(s.ctx))
	waits = waits[:0]
	for _, p := range others.shuffled(s) {
		waits = append(waits, p.start(s, o))
	}
	var indexes []int
	for _, d := range waits {
		indexes = append(indexes, d.finish(s).Result)
	}
	slices.Sort(indexes)
	if !slices.Equal(indexes, []int{0, 1, 2}) {
		s.t.Errorf("indexes %v", indexes)
	}
}
