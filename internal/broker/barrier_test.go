package broker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/task"
)

func newBarrier(t *testing.T, n int, action func() error) *Barrier {
	t.Helper()
	b, err := NewBarrier("b", n, action)
	must(t, err)
	return b
}

func TestBarrier_IsForOneAtLeast(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, -1} {
		_, err := NewBarrier("b", n, nil)
		wantErr(t, err, ErrRange)
	}
}

func TestBarrier_LetsAGenerationGoOnTogether(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 4; n++ {
		b := newBarrier(t, n, nil)
		for range 3 {
			var waiting []*probe
			for range n {
				for _, p := range waiting {
					p.waits()
				}
				waiting = append(waiting, ask(t, newOwner("o"), b.Wait))
			}
			for i, p := range waiting {
				p.granted()
				if p.Index != i {
					t.Fatalf("index %d, want %d", p.Index, i)
				}
			}
		}
		parties, waits, broken := b.State()
		if parties != n || waits != 0 || broken {
			t.Fatal(b.State())
		}
	}
}

func TestBarrier_BreaksForAllWhenOneGivesUp(t *testing.T) {
	t.Parallel()
	for name, giveUp := range map[string]struct {
		do   func(*probe)
		want error
	}{
		"cancelled":   {func(p *probe) { p.Cancel(context.DeadlineExceeded) }, context.DeadlineExceeded},
		"owner ended": {func(p *probe) { p.Owner.End(nil) }, ErrEnded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBarrier(t, 4, nil)
			first, second, third := ask(t, newOwner("a"), b.Wait), ask(t, newOwner("b"), b.Wait), ask(t, nil, b.Wait)
			giveUp.do(second)
			second.failed(giveUp.want)
			if n := len(second.Owner.Parties()) + len(first.Owner.Parties()); n != 0 {
				t.Fatalf("%d parties are left", n)
			}
			for _, p := range []*probe{first, third, ask(t, nil, b.Wait)} {
				p.failed(ErrBroken)
				if errors.Is(p.Err, context.DeadlineExceeded) {
					t.Fatalf("its own context has not ended: %v", p.Err)
				}
				if !strings.Contains(p.Err.Error(), "b gave up") {
					t.Fatalf("does not say who: %v", p.Err)
				}
			}
			if _, waiting, broken := b.State(); waiting != 0 || !broken {
				t.Fatal(b.State())
			}
			b.Reset()
			last := ask(t, nil, b.Wait)
			last.waits()
			b.Reset()
			last.failed(ErrBroken)
			if _, _, broken := b.State(); broken {
				t.Fatal("broken after Reset")
			}
		})
	}
}

func TestBarrier_Abort(t *testing.T) {
	t.Parallel()
	b := newBarrier(t, 2, nil)
	waiting := ask(t, nil, b.Wait)
	b.Abort()
	b.Abort()
	waiting.failed(ErrBroken)
	ask(t, nil, b.Wait).failed(ErrBroken)
	b.Reset()
	waiting = ask(t, nil, b.Wait)
	ask(t, nil, b.Wait).granted()
	waiting.granted()
}

func TestBarrier_RunsItsActionOnceBeforeAnybodyGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runs, release := 0, make(chan struct{})
		b := newBarrier(t, 2, func() error { runs++; <-release; return nil })
		for generation := range 3 {
			first, second := ask(t, nil, b.Wait), ask(t, nil, b.Wait)
			synctest.Wait()
			first.waits()
			second.waits()
			// The next generation comes early. Its action has to wait for this one.
			third, fourth := ask(t, nil, b.Wait), ask(t, nil, b.Wait)
			synctest.Wait()
			if runs != 2*generation+1 {
				t.Fatalf("%d actions have begun", runs)
			}
			release <- struct{}{}
			synctest.Wait()
			first.granted()
			second.granted()
			if first.Index != 0 || second.Index != 1 {
				t.Fatal("wrong index")
			}
			third.waits()
			if runs != 2*generation+2 {
				t.Fatalf("%d actions have begun", runs)
			}
			release <- struct{}{}
			synctest.Wait()
			third.granted()
			fourth.granted()
		}
	})
}

func TestBarrier_BreaksWhenItsActionFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("no more paper")
	for name, c := range map[string]struct {
		action func() error
		check  func(error) bool
	}{
		"error": {func() error { return failure }, func(err error) bool { return errors.Is(err, failure) }},
		"panic": {func() error { panic(failure) }, func(err error) bool {
			var p *task.PanicError
			return errors.Is(err, failure) && errors.As(err, &p) &&
				strings.Contains(p.Stack, "TestBarrier_BreaksWhenItsActionFails") && !strings.Contains(p.Stack, "(*Barrier).act")
		}},
		"goexit": {func() error { runtime.Goexit(); return nil }, func(err error) bool {
			return strings.Contains(err.Error(), "Goexit")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBarrier(t, 2, c.action)
			for range 2 {
				first, second := ask(t, newOwner("a"), b.Wait), ask(t, nil, b.Wait)
				for _, p := range []*probe{first, second} {
					<-p.done
					p.failed(ErrBroken)
					if !c.check(p.Err) {
						t.Fatalf("got %v", p.Err)
					}
				}
				ask(t, nil, b.Wait).failed(ErrBroken)
				b.Reset()
			}
		})
	}
}

func TestBarrier_DisturbedWhileItsActionRuns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		disturb func(b *Barrier, second *probe)
		want    error // of the second party
		broken  bool
	}{
		"cancel":    {func(_ *Barrier, p *probe) { p.Cancel(errGone) }, errGone, true},
		"owner end": {func(_ *Barrier, p *probe) { p.Owner.End(nil) }, ErrEnded, true},
		"abort":     {func(b *Barrier, _ *probe) { b.Abort() }, ErrBroken, true},
		"reset":     {func(b *Barrier, _ *probe) { b.Reset() }, ErrBroken, false},
		"removed":   {func(b *Barrier, _ *probe) { b.Remove(ErrRemoved) }, ErrRemoved, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var outcomes = make(chan error)
				b := newBarrier(t, 2, func() error { return <-outcomes })
				first, second := ask(t, nil, b.Wait), ask(t, newOwner("o"), b.Wait)
				synctest.Wait()
				c.disturb(b, second)
				second.failed(c.want)
				if name == "removed" {
					first.failed(ErrRemoved)
				} else {
					first.failed(ErrBroken)
				}
				if _, _, broken := b.State(); broken != c.broken {
					t.Fatal(b.State())
				}
				if name == "removed" {
					b.Reset()
					ask(t, nil, b.Wait).failed(ErrRemoved)
					outcomes <- nil
					return
				}
				b.Reset()
				// A new generation is complete, but the old action still runs.
				third, fourth := ask(t, nil, b.Wait), ask(t, nil, b.Wait)
				synctest.Wait()
				third.waits()
				outcomes <- errors.New("nobody cares")
				synctest.Wait()
				third.waits()
				outcomes <- nil
				synctest.Wait()
				third.granted()
				fourth.granted()
			})
		})
	}
}

func TestBarrier_RefusesAnOwnerThatHasEnded(t *testing.T) {
	t.Parallel()
	b := newBarrier(t, 1, nil)
	o := newOwner("o")
	o.End(nil)
	ask(t, o, b.Wait).failed(ErrEnded)
	if _, waiting, broken := b.State(); waiting != 0 || broken {
		t.Fatal(b.State())
	}
}

func TestBarrier_BehavesAsItsModel(t *testing.T) {
	t.Parallel()
	compare(t, func(h *history) {
		n := 1 + h.IntN(4)
		b := newBarrier(h.t, n, nil)
		type party struct {
			p       *probe
			settled bool
			err     error
			index   int
		}
		var waiting, all []*party
		broken := false
		settle := func(err error) {
			for i, x := range waiting {
				x.settled, x.err, x.index = true, err, i
			}
			waiting = nil
		}
		for i := range 200 {
			switch op := h.IntN(100); {
			case op < 70:
				h.step("one comes")
				x := &party{}
				all = append(all, x)
				if broken {
					x.settled, x.err = true, ErrBroken
				} else if waiting = append(waiting, x); len(waiting) == n {
					settle(nil)
				}
				var o *owner.Owner
				if h.IntN(2) == 0 {
					o = newOwner(fmt.Sprint("o", i))
				}
				x.p = ask(h.t, o, b.Wait)
			case op < 85 && len(waiting) > 0:
				at := h.IntN(len(waiting))
				x := waiting[at]
				waiting = slices.Delete(waiting, at, at+1)
				x.settled = true
				broken = true
				settle(ErrBroken)
				if x.p.Owner != nil && h.IntN(2) == 0 {
					h.step("number %d ends", at)
					x.err = ErrEnded
					x.p.Owner.End(nil)
				} else {
					h.step("number %d is cancelled", at)
					x.err = errGone
					x.p.Cancel(errGone)
				}
			case op < 90:
				h.step("abort")
				broken = true
				settle(ErrBroken)
				b.Abort()
			default:
				h.step("reset")
				broken = false
				settle(ErrBroken)
				b.Reset()
			}
			_, nWaiting, isBroken := b.State()
			h.equal("waiting", nWaiting, len(waiting))
			h.equal("broken", isBroken, broken)
			for _, x := range all {
				h.equal("settled", x.p.settled(), x.settled)
				if x.settled && !errors.Is(x.p.Err, x.err) {
					h.failed("got %v, want %v", x.p.Err, x.err)
				}
				if x.settled && x.err == nil {
					h.equal("index", x.p.Index, x.index)
				}
			}
			all = slices.DeleteFunc(all, func(x *party) bool { return x.settled })
		}
	})
}

func TestBarrier_BetweenGoroutines(t *testing.T) {
	t.Parallel()
	const n, rounds = 5, 200
	actions := 0
	b := newBarrier(t, n, func() error { actions++; return nil })
	var seen [rounds][n]bool
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for round := range rounds {
				tk := &Ticket{}
				if err := Await(t.Context(), tk, b.Wait); err != nil {
					t.Error(err)
					return
				}
				if actions < round+1 { // the action happens before: the race detector looks
					t.Error("went on before the action")
				}
				mu.Lock()
				if seen[round][tk.Index] {
					t.Error("an index came twice")
				}
				seen[round][tk.Index] = true
				mu.Unlock()
				if err := Await(t.Context(), &Ticket{}, b.Wait); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if actions != 2*rounds {
		t.Fatalf("%d actions, want %d", actions, 2*rounds)
	}
}
