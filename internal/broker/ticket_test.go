package broker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/feac4032/multiproc/internal/owner"
)

func TestAwait_WithdrawsItsTicketWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLock("l", false)
		a, b := newOwner("a"), newOwner("b")
		must(t, second(l.TryAcquire(a)))
		why := errors.New("no more patience")
		ctx, cancel := context.WithCancelCause(t.Context())
		got := make(chan error)
		go func() { got <- Await(ctx, &Ticket{Owner: b}, l.Acquire) }()
		synctest.Wait()
		cancel(why)
		err := <-got
		wantErr(t, err, context.Canceled)
		wantErr(t, err, why)
		if !l.line.empty() || len(b.Parties()) != 0 {
			t.Fatal("it still waits")
		}
	})
}

func TestAwait_OfAConditionReturnsWithTheLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLock("l", false)
		c := NewCondition("c", l)
		a, b := newOwner("a"), newOwner("b")
		must(t, second(l.TryAcquire(a)))
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() { got <- Await(ctx, &Ticket{Owner: a}, c.Wait) }()
		synctest.Wait()
		must(t, second(l.TryAcquire(b)))
		cancel()
		synctest.Wait()
		select {
		case err := <-got:
			t.Fatalf("returned without the lock: %v", err)
		default:
		}
		must(t, second(l.Release(b)))
		wantErr(t, <-got, context.Canceled)
		if l.Holder() != a {
			t.Fatal("returned without the lock")
		}
	})
}

// A grant that came before the end of the context stands, and so does one that
// needs no wait.
func TestAwait_GrantComesFirst(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	l := NewLock("l", false)
	a, b := newOwner("a"), newOwner("b")
	must(t, second(l.TryAcquire(a)))
	must(t, Await(ctx, &Ticket{Owner: b}, func(tk *Ticket) {
		l.Acquire(tk)
		cancel()
		must(t, second(l.Release(a)))
	}))
	must(t, second(l.Release(b)))
	must(t, Await(ctx, &Ticket{Owner: a}, l.Acquire))
}

func TestAwait_EndOfTheOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := NewEvent("e")
		o := newOwner("o")
		got := make(chan error)
		go func() { got <- Await(t.Context(), &Ticket{Owner: o}, e.Wait) }()
		synctest.Wait()
		o.End(errGone)
		wantErr(t, <-got, ErrEnded)
	})
}

// Whoever is told may ask again at once: no lock is held.
func TestTicket_IsSettledWithoutLocks(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	e := NewEvent("e")
	b := newBarrier(t, 2, nil)
	s := newSemaphore(t, 0, false)
	a, o := newOwner("a"), newOwner("o")
	again := 0
	ask := func(who *owner.Owner, request func(*Ticket), then func()) *Ticket {
		tk := &Ticket{Owner: who, Settled: func(*Ticket) { again++; then() }}
		request(tk)
		return tk
	}
	must(t, second(l.TryAcquire(a)))
	ask(o, l.Acquire, func() { _, _ = l.Release(o) })
	must(t, second(l.Release(a)))
	must(t, second(l.TryAcquire(a)))
	ask(a, c.Wait, func() { _, _ = l.Release(a) }).Cancel(errGone)
	ask(nil, e.Wait, e.Clear)
	e.Set()
	ask(nil, b.Wait, func() { b.State() })
	ask(nil, b.Wait, b.Abort)
	ask(o, func(tk *Ticket) { s.Acquire(tk, false) }, func() { _ = s.Release(o) })
	must(t, s.Release(nil))
	if again != 6 {
		t.Fatalf("%d were told, want 6", again)
	}
}
