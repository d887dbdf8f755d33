package broker

import (
	"sync"
	"testing"
)

func TestEvent_LetsAllGoOnThatWait(t *testing.T) {
	t.Parallel()
	e := NewEvent("e")
	var waiting []*probe
	for range 10 {
		waiting = append(waiting, ask(t, newOwner("o"), e.Wait), ask(t, nil, e.Wait))
	}
	waiting[2].Cancel(errGone)
	waiting[4].Owner.End(nil)
	for i, p := range waiting {
		if i != 2 && i != 4 {
			p.waits()
		}
	}
	e.Set()
	e.Clear() // they go on nevertheless
	for i, p := range waiting {
		switch i {
		case 2:
			p.failed(errGone)
		case 4:
			p.failed(ErrEnded)
		default:
			p.granted()
		}
		if p.Owner != nil && len(p.Owner.Parties()) != 0 {
			t.Fatalf("%d: a party is left", i)
		}
	}
	if e.IsSet() {
		t.Fatal("it is set")
	}
	late := ask(t, nil, e.Wait)
	late.waits()
	e.Set()
	e.Set()
	late.granted()
	ask(t, nil, e.Wait).granted()
	if !e.IsSet() {
		t.Fatal("it is not set")
	}
}

func TestEvent_RefusesAnOwnerThatHasEnded(t *testing.T) {
	t.Parallel()
	e := NewEvent("e")
	o := newOwner("o")
	o.End(nil)
	ask(t, o, e.Wait).failed(ErrEnded)
	if !e.line.empty() {
		t.Fatal("it waits")
	}
}

func TestEvent_Removed(t *testing.T) {
	t.Parallel()
	e := NewEvent("e")
	waiting := ask(t, nil, e.Wait)
	e.Remove(ErrRemoved)
	waiting.failed(ErrRemoved)
	e.Set()
	ask(t, nil, e.Wait).failed(ErrRemoved)
	if e.IsSet() {
		t.Fatal("it can be set")
	}
}

func TestEvent_WakesGoroutines(t *testing.T) {
	t.Parallel()
	for range 50 {
		e := NewEvent("e")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				o := newOwner("o")
				if i == 0 {
					go o.End(nil)
				}
				if err := Await(t.Context(), &Ticket{Owner: o}, e.Wait); err != nil && i != 0 {
					t.Error(err)
				}
				o.End(nil)
			})
		}
		e.Set()
		all.Wait()
	}
}
