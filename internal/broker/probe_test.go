package broker

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
)

func newOwner(name string) *owner.Owner { return owner.New(owner.Identity{Name: name}) }

// probe is a ticket that says what became of it.
type probe struct {
	Ticket
	t     *testing.T
	times atomic.Int32
	done  chan struct{}
}

// ask hands a ticket of o to request.
func ask(t *testing.T, o *owner.Owner, request func(*Ticket)) *probe {
	p := &probe{t: t, done: make(chan struct{})}
	p.Owner = o
	p.Settled = func(*Ticket) {
		if p.times.Add(1) > 1 {
			t.Error("a ticket was settled twice")
			return
		}
		close(p.done)
	}
	request(&p.Ticket)
	return p
}

func (p *probe) settled() bool { return p.times.Load() > 0 }

func (p *probe) waits() {
	p.t.Helper()
	if p.settled() {
		p.t.Fatalf("%v: did not wait: %v", p.Owner.Identity(), p.Err)
	}
}

// granted checks that it was, and returns who had left behind what it got.
func (p *probe) granted() *owner.Abandoned {
	p.t.Helper()
	p.failed(nil)
	return p.Abandoned
}

func (p *probe) failed(want error) {
	p.t.Helper()
	if !p.settled() {
		p.t.Fatalf("still waits, want %v", want)
	}
	if !errors.Is(p.Err, want) {
		p.t.Fatalf("got %v, want %v", p.Err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// wantLeft checks who is said to have left something behind.
func wantLeft(t *testing.T, got *owner.Abandoned, by string) {
	t.Helper()
	name := ""
	if got != nil {
		name = got.Name
	}
	if name != by {
		t.Fatalf("left behind by %q, want %q", name, by)
	}
}
