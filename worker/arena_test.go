package worker

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/ipc"
)

// withArena gives a server an arena, and returns the supervisor's view of it.
func withArena(t *testing.T, view **ipc.Arena) func(*ipc.Hello, *endpoint) {
	return func(_ *ipc.Hello, e *endpoint) {
		mem := bytesOf(make([]uint64, ipc.SharedSize/8))
		if _, err := ipc.FormatPage(mem); err != nil {
			t.Fatal(err)
		}
		var err error
		if *view, err = ipc.FormatArena(mem); err != nil {
			t.Fatal(err)
		}
		if e.page, err = ipc.OpenPage(mem); err != nil {
			t.Fatal(err)
		}
		// To the race detector, what is in shared memory happens before it is told of in
		// a file, but not in a descriptor that is looked at awake.
		e.in = struct{ io.Reader }{e.in}
		own := ipc.OpenArena(mem)
		e.shelf, e.tray = &own.Out, &own.In
	}
}

// answer returns the payload of the next result, and how much of it came in the
// arena.
func (p *peer) answer(view *ipc.Arena) (body []byte, inArena int) {
	p.t.Helper()
	m := p.expect(ipc.KindResult)
	if err := p.asm.Begin(&m); err != nil {
		p.t.Fatal(err)
	}
	for {
		d := p.frame()
		var whole *ipc.Message
		var err error
		switch d.Kind {
		case ipc.KindPlace:
			inArena += int(d.Size)
			whole, err = p.asm.Fetch(&d, &view.In)
		case ipc.KindData:
			whole, err = p.asm.Add(&d)
		}
		if err != nil {
			p.t.Fatal(err)
		}
		p.send(ipc.AppendCredit(nil, d.Bytes))
		if whole != nil {
			return whole.Body, inArena
		}
	}
}

func TestServe_LongPayloadsTravelInTheArena(t *testing.T) {
	t.Parallel()
	var view *ipc.Arena
	l := setup(t, withArena(t, &view))
	if !l.ready.Has(ipc.CapArena) {
		t.Fatal("it announces no arena")
	}
	want := encoded(bytes.Repeat([]byte("large"), 100_000))
	for id := uint64(1); id <= 20; id++ {
		frame, err := view.Out.Put(nil, id, want)
		if err != nil || frame == nil {
			t.Fatalf("job %d: no room: %v", id, err)
		}
		l.send(ipc.AppendJobSize(nil, id, "test.echo", 1, 0, "", "", len(want)), frame)
		got, inArena := l.answer(view)
		if !bytes.Equal(got, want) || inArena != len(want) {
			t.Fatalf("job %d: %d bytes of %d came back, %d in the arena", id, len(got), len(want), inArena)
		}
	}
}

// A result that is longer than the arena, or meets a full one, takes the pipe as
// well.
func TestServe_WhatHasNoRoomInTheArenaTakesThePipe(t *testing.T) {
	t.Parallel()
	var view *ipc.Arena
	l := setup(t, withArena(t, &view))
	l.send(job1(1, "test.bytes", 3*ipc.ArenaHalf))
	got, inArena := l.answer(view)
	if want := encoded(bytes.Repeat([]byte{7}, 3*ipc.ArenaHalf)); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes of %d", len(got), len(want))
	}
	if inArena == 0 {
		t.Error("none of it came in the arena")
	}
}

func TestServe_CreditBoundsWhatIsPutIntoTheArena(t *testing.T) {
	t.Parallel()
	var view *ipc.Arena
	l := setup(t, withArena(t, &view), func(h *ipc.Hello, _ *endpoint) { h.Credit = ipc.MaxInline })
	l.send(job1(1, "test.bytes", 300_000))
	m := l.expect(ipc.KindResult)
	if err := l.asm.Begin(&m); err != nil {
		t.Fatal(err)
	}
	for got := uint64(0); got < m.Size; {
		d := l.frame()
		if d.Kind != ipc.KindPlace || d.Size > ipc.MaxInline {
			t.Fatalf("%v frame of %d bytes with credit for %d", d.Kind, d.Size, ipc.MaxInline)
		}
		got += d.Size
		if _, err := l.asm.Fetch(&d, &view.In); err != nil {
			t.Fatal(err)
		}
		l.send(ipc.AppendPing(nil, got)) // it answers while it waits, and sends nothing else
		if pong := l.frame(); pong.Kind != ipc.KindPong {
			t.Fatalf("%v frame without credit", pong.Kind)
		}
		l.send(ipc.AppendCredit(nil, d.Size))
	}
}

func TestServe_RefusesHostilePlaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		frame []byte
		want  string
		bare  bool
	}{
		"beyond the arena": {frame: ipc.AppendPlace(nil, 1, ipc.ArenaHalf, 1), want: "of an arena of"},
		"of another job":   {frame: ipc.AppendPlace(nil, 2, 0, 1), want: "not open"},
		"without an arena": {frame: ipc.AppendPlace(nil, 1, 0, 1), want: "no arena", bare: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var view *ipc.Arena
			change := withArena(t, &view)
			if c.bare {
				change = func(*ipc.Hello, *endpoint) {}
			}
			l := setup(t, change)
			l.send(ipc.AppendJobSize(nil, 1, "test.echo", 1, 0, "", "", 100), c.frame)
			if code := l.exit(); code != exitProtocol || !strings.Contains(l.stderr.String(), c.want) {
				t.Errorf("exit code %d, %q", code, l.stderr)
			}
		})
	}
}
