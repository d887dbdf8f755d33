package manager_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/psync"
)

// Parties that take locks in a circle: the one that would close it is refused, and
// told of all; the others go on when it gives back what it has.
func TestDeadlock_OnePartyIsRefused(t *testing.T) {
	t.Parallel()
	rings := [][]string{
		{"process", "process"}, {"job", "job"}, {"goroutine", "goroutine"},
		{"process", "job"}, {"process", "goroutine"}, {"job", "goroutine"},
		{"process", "job", "goroutine"},
	}
	for _, kind := range []manager.Kind{manager.KindLock, manager.KindRLock} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, 0, 2)
			for _, ring := range rings {
				s.play(strings.Join(ring, "-"), func(s *stage) {
					for range 3 {
						s.ring(kind, ring)
					}
				})
			}
		})
	}
}

// lock makes a lock and returns an order to acquire it.
func (s *stage) lock(kind manager.Kind) order {
	s.t.Helper()
	name := s.name(string(kind))
	var err error
	if kind == manager.KindLock {
		_, err = manager.NewLock(s.m, name)
	} else {
		_, err = manager.NewRLock(s.m, name)
	}
	s.must(err)
	return order{Do: "acquire", Kind: kind, On: name, K: 1}
}

func (s *stage) ring(kind manager.Kind, kinds []string) {
	s.t.Helper()
	var ps []*party
	var locks []order
	for _, k := range kinds {
		p, o := s.enter(k), s.lock(kind)
		p.do(s, o)
		ps, locks = append(ps, p), append(locks, o)
	}
	// All at once: anybody may be the last.
	var asks []*doing
	for i, p := range ps {
		asks = append(asks, p.start(s, locks[(i+1)%len(ps)]))
	}
	refused, a := s.refused(asks)
	err := a.err()
	if !errors.Is(err, psync.ErrDeadlock) {
		s.t.Fatalf("the first that is answered: %v, want ErrDeadlock", err)
	}
	for i, p := range ps {
		for _, name := range []string{p.name, strconv.Quote(locks[i].On)} {
			if !strings.Contains(err.Error(), name) {
				s.t.Errorf("%q does not name %s", err, name)
			}
		}
	}
	// It waits for the lock of the next one, that for the next, and so on.
	var want []owner.Edge
	for i := range ps {
		at, next := (refused+i)%len(ps), (refused+i+1)%len(ps)
		want = append(want, owner.Edge{
			Waiter:   ps[at].identity(),
			Resource: map[manager.Kind]string{manager.KindLock: "lock ", manager.KindRLock: "recursive lock "}[kind] + strconv.Quote(locks[next].On),
			Holder:   ps[next].identity(),
		})
	}
	if !slices.Equal(a.Cycle, want) {
		s.t.Errorf("cycle %+v, want %+v", a.Cycle, want)
	}
	for i := range ps {
		if i != refused {
			select {
			case a := <-asks[i].done:
				s.t.Errorf("%s is answered too, while its lock is held: %v", ps[i].name, a.err())
			default:
			}
		}
	}
	// Backwards from it each gets its lock once the one before gives back.
	for i := range ps {
		at := (refused - i + len(ps)) % len(ps)
		if i > 0 {
			asks[at].finish(s)
			o := locks[(at+1)%len(ps)]
			o.Do = "release"
			ps[at].do(s, o)
		}
		o := locks[at]
		o.Do = "release"
		ps[at].do(s, o)
	}
	for i, p := range ps {
		s.free(kind, locks[i].On)
		told("return")(s, p)
		s.must(s.buried(p))
	}
}

// refused waits for the first answer.
func (s *stage) refused(asks []*doing) (int, answer) {
	s.t.Helper()
	var cases []reflect.SelectCase
	for _, d := range asks {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(d.done)})
	}
	late := reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(time.After(soon))}
	i, a, _ := reflect.Select(append(cases, late))
	if i == len(asks) {
		s.t.Fatalf("nobody is refused after %v", soon)
	}
	return i, a.Interface().(answer)
}

// identity is what others are told of the party.
func (p *party) identity() owner.Identity {
	return owner.Identity{Name: p.name, PID: p.pid, Job: p.job}
}

// Who holds a lock that a process waits for, and joins that process, would wait
// for ever: one of the two is refused.
func TestDeadlock_ThroughJoin(t *testing.T) {
	t.Parallel()
	s := newStage(t, 0, 1)
	for i := range 10 {
		s.play(fmt.Sprint(i), func(s *stage) {
			ctx := s.owned()
			o := s.lock(manager.KindLock)
			l, err := manager.Lock(ctx, o.On)
			s.must(err)
			held, err := l.Acquire(ctx)
			s.must(err)

			p := s.enter("process")
			ask := p.start(s, o)
			s.moment()
			joined := make(chan error, 1)
			go func() { joined <- p.outcome(ctx) }()
			var deadlock *psync.DeadlockError
			select {
			case err := <-joined:
				if !errors.As(err, &deadlock) {
					t.Fatalf("Join: %v", err)
				}
				s.must(held.Release())
				ask.finish(s)
				o.Do = "release"
				p.do(s, o)
				told("return")(s, p)
			case a := <-ask.done:
				if !errors.Is(a.err(), psync.ErrDeadlock) {
					t.Fatalf("Acquire: %v", a.err())
				}
				deadlock = &psync.DeadlockError{Cycle: a.Cycle}
				told("return")(s, p)
				s.must(<-joined)
				s.must(held.Release())
			}
			text := deadlock.Error()
			for _, name := range []string{p.name, "the test", strconv.Quote(o.On)} {
				if len(deadlock.Cycle) != 2 || !strings.Contains(text, name) {
					t.Errorf("%q: not a cycle of two that names %s", text, name)
				}
			}
			s.must(s.buried(p))
		})
	}
}
