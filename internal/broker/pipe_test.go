package broker

import (
	"io"
	"testing"
)

func send(t *testing.T, e *PipeEnd, msgs ...string) {
	t.Helper()
	for _, msg := range msgs {
		if ok, err := e.TryPut([]byte(msg)); !ok || err != nil {
			t.Fatalf("TryPut(%q) = %v, %v", msg, ok, err)
		}
	}
}

func receive(t *testing.T, e *PipeEnd, want ...string) {
	t.Helper()
	for _, w := range want {
		if msg, ok, err := e.TryGet(); !ok || err != nil || string(msg) != w {
			t.Fatalf("TryGet = %q, %v, %v, want %q", msg, ok, err, w)
		}
	}
}

func TestPipe_MessagesNeverMerge(t *testing.T) {
	t.Parallel()
	a, b := NewPipe("p")
	send(t, a, "", "one", "", "two")
	send(t, b, "back")
	receive(t, b, "", "one", "", "two")
	receive(t, a, "back")
	get := ask(t, newOwner("o"), b.Get)
	get.waits()
	send(t, a, "three")
	wantItem(t, get, "three")
}

func TestPipe_CloseOfOneEnd(t *testing.T) {
	t.Parallel()
	a, b := NewPipe("p")
	own := ask(t, newOwner("o"), a.Get)
	send(t, a, "last")
	send(t, b, "to own")
	wantItem(t, own, "to own")
	send(t, b, "dropped")
	a.Close()
	a.Close()

	receive(t, b, "last")
	for range 2 {
		_, _, err := b.TryGet()
		wantErr(t, err, io.EOF)
	}
	ask(t, nil, b.Get).failed(io.EOF)
	_, err := b.TryPut(nil)
	wantErr(t, err, ErrLost)
	_, err = a.TryPut(nil)
	wantErr(t, err, ErrClosed)
	_, _, err = a.TryGet()
	wantErr(t, err, ErrClosed)

	b.Close()
	_, err = b.TryPut(nil)
	wantErr(t, err, ErrClosed)
	_, _, err = b.TryGet()
	wantErr(t, err, ErrClosed)
	_, err = a.TryPut(nil)
	wantErr(t, err, ErrClosed)
}

func TestPipe_CloseWakesBothEnds(t *testing.T) {
	t.Parallel()
	a, b := NewPipe("p")
	b.out.limit, a.out.limit = 1, 1
	send(t, a, "fits")
	send(t, b, "fits")
	o := newOwner("o")
	own := ask(t, o, func(p *Ticket) { a.Put(p, nil) })
	peers := ask(t, o, func(p *Ticket) { b.Put(p, nil) })
	own.waits()
	peers.waits()
	a.Close()
	own.failed(ErrClosed)
	peers.failed(ErrLost)

	c, d := NewPipe("p")
	own, peers = ask(t, o, c.Get), ask(t, o, d.Get)
	c.Close()
	own.failed(ErrClosed)
	peers.failed(io.EOF)
}

func TestPipe_LastHoldersEndClosesIt(t *testing.T) {
	t.Parallel()
	a, b := NewPipe("p")
	a.Retain()
	a.Retain()
	a.Release()
	send(t, a, "still open")
	get := ask(t, newOwner("o"), b.Get)
	wantItem(t, get, "still open")
	get = ask(t, newOwner("o"), b.Get)
	a.Release()
	get.failed(io.EOF)
	_, err := a.TryPut(nil)
	wantErr(t, err, ErrClosed)
}

func TestPipe_RemoveEndsBothEnds(t *testing.T) {
	t.Parallel()
	a, b := NewPipe("p")
	send(t, a, "dropped")
	get := ask(t, newOwner("o"), a.Get)
	b.Remove(ErrRemoved)
	get.failed(ErrRemoved)
	if a.Name() != "p" || a.Resource() != `pipe "p"` {
		t.Errorf("it is called %s, %s", a.Name(), a.Resource())
	}
	a.Close()
	for _, e := range []*PipeEnd{a, b} {
		_, err := e.TryPut(nil)
		wantErr(t, err, ErrRemoved)
		_, _, err = e.TryGet()
		wantErr(t, err, ErrRemoved)
	}
}
