package broker

import (
	"errors"
	"testing"
)

func TestQueue_OwnersEndWithdrawsItsWaits(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 1)
	o, other := newOwner("o"), newOwner("other")
	get, leased := ask(t, o, q.Get), ask(t, o, q.Lease)
	o.End(nil)
	get.failed(ErrEnded)
	leased.failed(ErrEnded)
	put(t, q, "a")
	late := ask(t, o, q.Lease)
	late.failed(ErrEnded)
	if _, ok, err := q.TryLease(o); ok || !errors.Is(err, ErrEnded) {
		t.Fatalf("TryLease by an owner that has ended: %v, %v", ok, err)
	}
	waiting := putTicket(t, q, other, "b")
	other.End(nil)
	waiting.failed(ErrEnded)
	wantItems(t, q, "a")
}

func TestQueue_GivesNothingToAnOwnerThatEnds(t *testing.T) {
	t.Parallel()
	for _, request := range []func(*Queue, *Ticket){(*Queue).Get, (*Queue).Lease} {
		q := NewQueue("q", 0)
		o := newOwner("o")
		first := ask(t, o, func(p *Ticket) { request(q, p) })
		second := ask(t, newOwner("other"), q.Get)
		// It is told first, when the end has begun and the wait is still there.
		o.Enter(&releaser{func() { put(t, q, "a") }})
		o.End(nil)
		first.failed(ErrEnded)
		wantItem(t, second, "a")
	}
}

func TestQueue_CloseDrainsWhatMayComeBack(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 1)
	has, waits := newOwner("has"), newOwner("waits")
	put(t, q, "a")
	late := putTicket(t, q, waits, "b")
	q.Close()
	late.failed(ErrClosed)
	ask(t, nil, func(p *Ticket) { q.Put(p, nil) }).failed(ErrClosed)
	if q.Full() {
		t.Error("a closed queue is full")
	}
	l := takeLease(t, q, has, "a", 1)
	ask(t, has, q.Lease).failed(ErrClosed) // it would wait for itself
	w := ask(t, waits, q.Lease)
	w.waits()
	if _, ok, err := q.TryLease(waits); ok || err != nil {
		t.Fatalf("TryLease = %v, %v, want nothing yet", ok, err)
	}
	must(t, q.Return(has, l.Lease))
	wantItem(t, w, "a")
	again := ask(t, has, q.Lease)
	again.waits()
	must(t, q.TaskDone(waits))
	again.failed(ErrClosed)
	_, _, err := q.TryGet()
	wantErr(t, err, ErrClosed)
	ask(t, has, q.Join).granted()
}

func TestQueue_CloseTellsWhoWaitsForItself(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	o := newOwner("o")
	put(t, q, "a")
	takeLease(t, q, o, "a", 1)
	w := ask(t, o, q.Lease)
	w.waits()
	q.Close()
	w.failed(ErrClosed)
}

func TestQueue_ShutdownDropsAndWakesAll(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 1)
	o := newOwner("o")
	put(t, q, "a")
	l := takeLease(t, q, o, "a", 1)
	w := ask(t, newOwner("getter"), q.Lease)
	join := ask(t, o, q.Join)
	w.waits()
	q.Shutdown()
	w.failed(ErrClosed)
	join.failed(ErrClosed)
	must(t, q.Return(o, l.Lease)) // dropped
	wantUnfinished(t, q, 0, 0)
	ask(t, o, q.Join).failed(ErrClosed)

	done := NewQueue("done", 0)
	done.Shutdown()
	ask(t, o, done.Join).granted() // nothing was dropped
}

func TestQueue_RemoveTellsWhy(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	o := newOwner("o")
	put(t, q, "a")
	takeLease(t, q, o, "a", 1)
	get, join := ask(t, o, q.Get), ask(t, o, q.Join)
	q.Remove(ErrRemoved)
	get.failed(ErrRemoved)
	join.failed(ErrRemoved)
	q.Close()
	_, err := q.TryPut(nil)
	wantErr(t, err, ErrRemoved)
	ask(t, o, q.Get).failed(ErrRemoved)
	must(t, q.TaskDone(o))
	ask(t, o, q.Join).failed(ErrRemoved)
	if q.Name() != "q" || q.Resource() != `queue "q"` {
		t.Errorf("it is called %s, %s", q.Name(), q.Resource())
	}
}
