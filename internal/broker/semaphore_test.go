package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
)

func newSemaphore(t *testing.T, n int, bounded bool) *Semaphore {
	t.Helper()
	s, err := NewSemaphore("s", n, bounded)
	must(t, err)
	return s
}

func owned(s *Semaphore) func(*Ticket)    { return func(t *Ticket) { s.Acquire(t, false) } }
func detached(s *Semaphore) func(*Ticket) { return func(t *Ticket) { s.Acquire(t, true) } }

func TestSemaphore_RefusesANegativeNumber(t *testing.T) {
	t.Parallel()
	_, err := NewSemaphore("s", -1, false)
	wantErr(t, err, ErrRange)
}

func TestSemaphore_HandsPermitsOutInOrder(t *testing.T) {
	t.Parallel()
	for _, bounded := range []bool{false, true} {
		s := newSemaphore(t, 2, bounded)
		a, b, c, d := newOwner("a"), newOwner("b"), newOwner("c"), newOwner("d")
		ask(t, a, owned(s)).granted()
		must(t, second(s.TryAcquire(b, false)))
		wantErr(t, second(s.TryAcquire(c, false)), ErrWouldBlock)
		first, next := ask(t, c, owned(s)), ask(t, d, owned(s))
		must(t, s.Release(a))
		first.granted()
		next.waits()
		if n := s.Value(); n != 0 {
			t.Fatalf("value %d", n)
		}
		wantErr(t, second(s.TryAcquire(a, false)), ErrWouldBlock)
		next.Cancel(errGone)
		next.failed(errGone)
		must(t, s.Release(b))
		must(t, s.Release(c))
		if n := s.Value(); n != 2 {
			t.Fatalf("value %d", n)
		}
	}
}

func TestSemaphore_TakesNothingFromAnOwnerThatEnded(t *testing.T) {
	t.Parallel()
	for _, bounded := range []bool{false, true} {
		s := newSemaphore(t, 2, bounded)
		a, b := newOwner("a"), newOwner("b")
		ask(t, a, owned(s)).granted()
		ask(t, b, owned(s)).granted()
		a.End(nil)
		wantErr(t, s.Release(a), ErrEnded)
		if n := s.Value(); n != 1 {
			t.Fatalf("value %d", n)
		}
	}
}

func TestSemaphore_NeedsAnOwnerUnlessDetached(t *testing.T) {
	t.Parallel()
	s := newSemaphore(t, 1, false)
	ask(t, nil, owned(s)).failed(ErrNoOwner)
	ask(t, nil, detached(s)).granted()
	ask(t, nil, detached(s)).waits()
	ended := newOwner("ended")
	ended.End(nil)
	ask(t, ended, owned(s)).failed(ErrEnded)
	must(t, s.Release(nil))
	must(t, s.Release(nil))
	ask(t, ended, owned(s)).failed(ErrEnded)
	if n := s.Value(); n != 1 {
		t.Fatalf("value %d", n)
	}
}

func TestSemaphore_ReleaseWithoutAPermitAddsOne(t *testing.T) {
	t.Parallel()
	s := newSemaphore(t, 0, false)
	a := newOwner("a")
	must(t, s.Release(a))
	must(t, s.Release(nil))
	if n := s.Value(); n != 2 {
		t.Fatalf("value %d", n)
	}
	ask(t, a, owned(s)).granted()
	must(t, s.Release(a)) // its own
	must(t, s.Release(a)) // one more
	if n := s.Value(); n != 3 {
		t.Fatalf("value %d", n)
	}
}

func TestBoundedSemaphore_IsNotReleasedTooOften(t *testing.T) {
	t.Parallel()
	s := newSemaphore(t, 2, true)
	a, b, c := newOwner("a"), newOwner("b"), newOwner("c")
	wantErr(t, s.Release(a), ErrReleasedTooOften)
	ask(t, a, owned(s)).granted()
	ask(t, b, owned(s)).granted()
	must(t, s.Release(b)) // its own, although a has had one for longer
	must(t, s.Release(c)) // a's
	wantErr(t, s.Release(a), ErrReleasedTooOften)
	for _, o := range []*owner.Owner{a, b, c} {
		if n := len(o.Parties()); n != 0 {
			t.Fatalf("%v: %d parties are left", o.Identity(), n)
		}
	}
	zero := newSemaphore(t, 0, true)
	wantErr(t, zero.Release(nil), ErrReleasedTooOften)
}

func TestBoundedSemaphore_DetachedPermitsAreOutToo(t *testing.T) {
	t.Parallel()
	s := newSemaphore(t, 2, true)
	a, b := newOwner("a"), newOwner("b")
	ask(t, a, detached(s)).granted()
	ask(t, b, owned(s)).granted()
	a.End(nil)
	if n := s.Value(); n != 0 {
		t.Fatalf("value %d: a detached permit ended with who took it", n)
	}
	must(t, s.Release(nil)) // the one that is out for longest
	b.End(nil)
	if n := s.Value(); n != 2 {
		t.Fatalf("value %d", n)
	}
	wantErr(t, s.Release(nil), ErrReleasedTooOften)
}

func TestSemaphore_PermitsOfAnOwnerThatEnds(t *testing.T) {
	t.Parallel()
	for _, bounded := range []bool{false, true} {
		s := newSemaphore(t, 4, bounded)
		a, b, c := newOwner("a"), newOwner("b"), newOwner("c")
		for range 3 {
			ask(t, a, owned(s)).granted()
		}
		ask(t, b, owned(s)).granted()
		first := ask(t, c, owned(s))
		a.End(errGone)
		left := first.granted()
		wantLeft(t, left, "a")
		wantErr(t, left.Cause, errGone)
		if n := s.Value(); n != 2 {
			t.Fatalf("value %d", n)
		}
		must(t, s.Release(b)) // a clean one, behind those that were left
		wantLeft(t, ask(t, c, owned(s)).granted(), "a")
		left, err := s.TryAcquire(nil, true)
		must(t, err)
		wantLeft(t, left, "a")
		wantLeft(t, ask(t, c, owned(s)).granted(), "")
	}
}

func TestSemaphore_WaiterThatEndsIsRemoved(t *testing.T) {
	t.Parallel()
	s := newSemaphore(t, 1, false)
	a, b, c := newOwner("a"), newOwner("b"), newOwner("c")
	ask(t, a, owned(s)).granted()
	gone, goneToo, next := ask(t, b, owned(s)), ask(t, b, detached(s)), ask(t, c, owned(s))
	b.Enter(&releaser{func() { // it has ended, its waits do not know yet
		must(t, s.Release(a))
		gone.failed(ErrEnded)
		goneToo.failed(ErrEnded)
		next.granted()
	}})
	b.End(nil)
	next.granted()
}

func TestSemaphore_Removed(t *testing.T) {
	t.Parallel()
	s := newSemaphore(t, 1, true)
	a, b := newOwner("a"), newOwner("b")
	ask(t, a, owned(s)).granted()
	waiting := ask(t, b, owned(s))
	s.Remove(ErrRemoved)
	waiting.failed(ErrRemoved)
	must(t, s.Release(a))
	ask(t, b, owned(s)).failed(ErrRemoved)
	wantErr(t, second(s.TryAcquire(nil, true)), ErrRemoved)
	wantErr(t, s.Release(a), ErrRemoved)
}

func TestSemaphore_BehavesAsItsModel(t *testing.T) {
	t.Parallel()
	type request struct {
		a        *actor
		asked    *probe
		detached bool
		settled  bool
		err      error
	}
	compare(t, func(h *history) {
		bounded, n := h.IntN(2) == 0, h.IntN(4)
		s := newSemaphore(h.t, n, bounded)
		value, detachedOut := n, 0
		var line, all []*request
		// How many each owner has, and since when it has had any; in a bounded
		// semaphore the detached ones are those of nil.
		out, since, now := map[*actor]int{}, map[*actor]int{}, 0
		repay := func(a *actor) {
			if out[a]--; out[a] == 0 {
				delete(out, a)
			}
		}
		made := 0
		fresh := func() *actor {
			made++
			name := fmt.Sprint("o", made)
			return &actor{o: newOwner(name), name: name}
		}
		actors := []*actor{fresh(), fresh(), fresh(), fresh()}
		grant := func(r *request) {
			r.settled = true
			a := r.a
			if r.detached {
				a = nil
				detachedOut++
			}
			if a == nil && !bounded {
				return
			}
			if out[a]++; out[a] == 1 {
				now++
				since[a] = now
			}
		}
		give := func() {
			if len(line) == 0 {
				value++
				return
			}
			next := line[0]
			line = line[1:]
			grant(next)
		}
		end := func(a *actor) {
			a.ended = true
			line = slices.DeleteFunc(line, func(r *request) bool {
				if r.a == a {
					r.settled, r.err = true, ErrEnded
				}
				return r.a == a
			})
			n := out[a]
			delete(out, a)
			for range n {
				give()
			}
			a.o.End(nil)
		}
		for range 300 {
			i := h.IntN(len(actors))
			a := actors[i]
			switch op := h.IntN(100); {
			case op < 45 && len(line) < 12:
				r := &request{a: a, detached: h.IntN(4) == 0}
				h.step("%s acquires, detached %v", a.name, r.detached)
				if value > 0 {
					value--
					grant(r)
				} else {
					line = append(line, r)
				}
				r.asked = ask(h.t, a.o, func(t *Ticket) { s.Acquire(t, r.detached) })
				all = append(all, r)
			case op < 80:
				h.step("%s releases", a.name)
				var want error
				switch {
				case out[a] > 0:
					repay(a)
					give()
				case bounded && len(out) == 0:
					want = ErrReleasedTooOften
				case bounded:
					repay(slices.MinFunc(slices.Collect(maps.Keys(out)), func(a, b *actor) int { return since[a] - since[b] }))
					give()
				default:
					give()
				}
				h.equal("release", s.Release(a.o), want)
			case op < 90 && len(line) > 0:
				at := h.IntN(len(line))
				r := line[at]
				h.step("a wait of %s is cancelled", r.a.name)
				line = slices.Delete(line, at, at+1)
				r.settled, r.err = true, errGone
				r.asked.Cancel(errGone)
			case op >= 95:
				h.step("%s ends", a.name)
				end(a)
				actors[i] = fresh()
			}
			h.equal("value", s.Value(), value)
			h.equal("in line", s.line.n, len(line))
			for _, r := range all {
				h.equal("settled "+r.a.name, r.asked.settled(), r.settled)
				if r.settled && !errors.Is(r.asked.Err, r.err) {
					h.failed("%s: got %v, want %v", r.a.name, r.asked.Err, r.err)
				}
			}
			all = slices.DeleteFunc(all, func(r *request) bool { return r.settled })
			h.equal("owners with permits", len(s.out), len(out))
			for a, n := range out {
				var o *owner.Owner
				if a != nil {
					o = a.o
				}
				if i := s.find(o); i < 0 || s.out[i].n != n {
					h.failed("%v: want %d permits: %v", o, n, s.out)
				}
			}
			left := 0
			for _, x := range s.left {
				left += x.n
			}
			if left > value {
				h.failed("%d permits were left behind, of %d", left, value)
			}
		}
		for _, a := range actors {
			end(a)
			h.equal("parties", len(a.o.Parties()), 0)
		}
		if bounded && value+detachedOut < n {
			h.failed("%d permits, %d detached, of %d", value, detachedOut, n)
		}
	})
}

func TestSemaphore_HoldsBetweenGoroutinesWhoseOwnersEnd(t *testing.T) {
	t.Parallel()
	const n = 3
	s := newSemaphore(t, n, true)
	var inside atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 300 {
				o := newOwner("o")
				ctx, cancel := context.WithCancel(t.Context())
				if i%5 == 0 {
					go cancel()
				}
				if i%7 == 0 {
					go o.End(nil)
				}
				err := Await(ctx, &Ticket{Owner: o}, owned(s))
				switch {
				case err == nil && i%7 != 0:
					if inside.Add(1) > n {
						t.Error("too many are inside")
					}
					inside.Add(-1)
					if i%3 != 0 {
						if err := s.Release(o); err != nil {
							t.Error(err)
						}
					}
				case err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrEnded):
					t.Error(err)
				}
				o.End(nil)
				cancel()
			}
		})
	}
	all.Wait()
	if got := s.Value(); got != n {
		t.Fatalf("%d permits at the end, want %d", got, n)
	}
}
