package manager_test

import (
	"context"
	"errors"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/psync"
)

func holderOfLock(s *stage, others troupe, e *ending) {
	name := s.name("lock")
	_, err := manager.NewLock(s.m, name)
	s.must(err)
	holderEnds(s, others, e, order{Kind: manager.KindLock, On: name, K: 1})
}

func holderOfRLock(s *stage, others troupe, e *ending) {
	name := s.name("rlock")
	_, err := manager.NewRLock(s.m, name)
	s.must(err)
	holderEnds(s, others, e, order{Kind: manager.KindRLock, On: name, K: 1 + s.IntN(5)})
}

func holderOfCondition(s *stage, others troupe, e *ending) {
	name := s.name("condition")
	_, err := manager.NewCondition(s.m, name, nil)
	s.must(err)
	holderEnds(s, others, e, order{Kind: manager.KindCondition, On: name, K: 1 + s.IntN(5)})
}

// holderEnds: a party ends with a lock. All others get it, the first one of them
// learns whose it was, and nobody holds it in the end.
func holderEnds(s *stage, others troupe, e *ending, o order) {
	s.t.Helper()
	v := s.victim(e)
	o.Do = "acquire"
	v.do(s, o)
	passes := s.passes(others, 1, o, func() { s.end(v, e) })
	var left []legacy
	for _, d := range passes {
		left = append(left, d.finish(s).Left...)
	}
	s.dead(v, e)
	if len(left) != 1 {
		s.t.Errorf("%d were told that the holder has ended, want 1: %+v", len(left), left)
	}
	for _, l := range left {
		s.blames(l, v, e)
	}
	s.free(o.Kind, o.On)
}

// passes has others take a thing K times, and give it back: some ask before
// something happens, the rest after.
func (s *stage) passes(others troupe, k int, o order, happens func()) []*doing {
	s.t.Helper()
	o.Do, o.K = "pass", k
	var all []*doing
	early := s.IntN(len(others) + 1)
	for i, p := range others.shuffled(s) {
		if i == early {
			happens()
		}
		all = append(all, p.start(s, o))
	}
	if early == len(others) {
		happens()
	}
	return all
}

// owned is the context of an owner that the test itself is, until it is done.
func (s *stage) owned() context.Context {
	ctx, end := psync.WithOwner(manager.With(s.ctx, s.m), psync.Named("the test"))
	s.t.Cleanup(end)
	return ctx
}

// free checks that nobody holds a lock, and that nobody has left it.
func (s *stage) free(kind manager.Kind, name string) {
	s.t.Helper()
	ctx := s.owned()
	l, err := hold(ctx, kind, name)
	s.must(err)
	held, err := l.TryAcquire(ctx)
	if err != nil || held.Abandoned != nil {
		s.t.Errorf("%s %q in the end: abandoned by %+v, %v", kind, name, held.Abandoned, err)
	}
	s.must(held.Release())
}

// waiterForLock: a party ends in the line of those who want a lock.
func waiterForLock(s *stage, others troupe, e *ending) {
	s.t.Helper()
	name := s.name("lock")
	_, err := manager.NewLock(s.m, name)
	s.must(err)
	o := order{Kind: manager.KindLock, On: name}
	holder, rest := s.one(others)
	o.Do = "acquire"
	holder.do(s, o)
	v := s.victim(e)
	v.start(s, o)
	passes := s.passes(rest, 1, o, func() { s.end(v, e) })
	s.dead(v, e)
	o.Do = "release"
	holder.do(s, o)
	for _, d := range passes {
		if a := d.finish(s); len(a.Left) != 0 {
			s.t.Errorf("abandoned by %+v, who never had it", a.Left)
		}
	}
	s.free(o.Kind, name)
}

// one takes one out of a troupe at random.
func (s *stage) one(others troupe) (*party, troupe) {
	mixed := others.shuffled(s)
	return mixed[0], mixed[1:]
}

func holderOfPermits(s *stage, others troupe, e *ending) {
	n := 1 + s.IntN(3)
	name := s.name("semaphore")
	sem, err := manager.NewSemaphore(s.m, name, n)
	s.must(err)
	permitsEnd(s, others, e, order{Kind: manager.KindSemaphore, On: name}, sem, n)
}

func holderOfBoundedPermits(s *stage, others troupe, e *ending) {
	n := 1 + s.IntN(3)
	name := s.name("bounded semaphore")
	sem, err := manager.NewBoundedSemaphore(s.m, name, n)
	s.must(err)
	permitsEnd(s, others, e, order{Kind: manager.KindBoundedSemaphore, On: name}, &sem.Semaphore, n)
	if err := sem.Release(s.owned()); !errors.Is(err, psync.ErrReleasedTooOften) {
		s.t.Errorf("release with all permits back: %v", err)
	}
}

// permitsEnd: a party ends with some of the permits, maybe all. The others get
// them, and all are there in the end.
func permitsEnd(s *stage, others troupe, e *ending, o order, sem *psync.Semaphore, n int) {
	s.t.Helper()
	v := s.victim(e)
	o.Do, o.K = "acquire", 1+s.IntN(n)
	v.do(s, o)
	holds := o.K
	passes := s.passes(others, 1, o, func() { s.end(v, e) })
	var left []legacy
	for _, d := range passes {
		left = append(left, d.finish(s).Left...)
	}
	s.dead(v, e)
	// The others may have used permits that the victim did not have.
	ctx := s.owned()
	for range n {
		held, err := sem.TryAcquire(ctx)
		s.must(err)
		var a answer
		a.inherit(held.Abandoned)
		left = append(left, a.Left...)
	}
	if _, err := sem.TryAcquire(ctx); !errors.Is(err, psync.ErrWouldBlock) {
		s.t.Errorf("%d permits were free of %d, and another one: %v", n, n, err)
	}
	if len(left) != holds {
		s.t.Errorf("%d permits were told to be abandoned, want %d: %+v", len(left), holds, left)
	}
	for _, l := range left {
		s.blames(l, v, e)
	}
	for range n {
		s.must(sem.Release(ctx))
	}
	if free, err := sem.Value(ctx); free != n || err != nil {
		s.t.Errorf("%d permits in the end, %v; want %d", free, err, n)
	}
}
