package ipc

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// newArena returns the views of both sides of one arena.
func newArena(t testing.TB) (supervisor, worker *Arena, mem []byte) {
	t.Helper()
	mem = make([]byte, SharedSize)
	if _, err := FormatPage(mem); err != nil {
		t.Fatal(err)
	}
	s, err := FormatArena(mem)
	if err != nil {
		t.Fatal(err)
	}
	w := OpenArena(mem)
	if w == nil {
		t.Fatal("the arena does not open")
	}
	return s, w, mem
}

// placed parses what Put has made, which must have found room.
func placed(t testing.TB, frame []byte, err error) *Message {
	t.Helper()
	if err != nil || len(frame) == 0 {
		t.Fatalf("%d bytes of a frame, %v", len(frame), err)
	}
	m, err := Parse(frame)
	if err != nil || m.Kind != KindPlace {
		t.Fatalf("%v frame, %v", m.Kind, err)
	}
	return &m
}

// Payloads of all sizes, some in several places, some partly in data frames, as many
// at a time as there is room for, arrive as they were, around the end too.
func TestArena_CarriesPayloads(t *testing.T) {
	t.Parallel()
	s, w, _ := newArena(t)
	for name, way := range map[string]struct {
		out *Shelf
		in  *Tray
	}{"to the worker": {&s.Out, &w.In}, "to the supervisor": {&w.Out, &s.In}} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var a Assembler
			var waiting []*Message // frames not yet read
			var wants [][]byte
			inArena, inData := 0, 0
			read := func() {
				m := waiting[0]
				waiting = waiting[1:]
				var whole *Message
				var err error
				switch m.Kind {
				case KindJob:
					err = a.Begin(m)
				case KindPlace:
					whole, err = a.Fetch(m, way.in)
				default:
					whole, err = a.Add(m)
				}
				if err != nil {
					t.Fatal(err)
				}
				if whole != nil {
					if !bytes.Equal(whole.Body, wants[0]) {
						t.Fatalf("payload of %d bytes is not as it was", len(wants[0]))
					}
					wants = wants[1:]
				}
			}
			for id := uint64(1); id <= 60; id++ {
				want := make([]byte, 1+random.IntN(2*ArenaHalf/3))
				for i := range want {
					want[i] = byte(i>>8) ^ byte(i) ^ byte(id)
				}
				wants = append(wants, want)
				waiting = append(waiting, announced(id, uint64(len(want))))
				for rest := want; len(rest) > 0; {
					n := min(len(rest), 1+random.IntN(ArenaHalf/2))
					frame, err := way.out.Put(nil, id, rest[:n/3], rest[n/3:n])
					if err != nil {
						t.Fatal(err)
					}
					if frame != nil {
						waiting = append(waiting, placed(t, frame, nil))
						inArena += n
					} else {
						n = min(n, MaxInline)
						waiting = append(waiting, chunk(id, rest[:n]))
						inData += n
					}
					rest = rest[n:]
					for len(waiting) > 0 && random.IntN(3) == 0 {
						read()
					}
				}
			}
			for len(waiting) > 0 {
				read()
			}
			if inArena == 0 || inData == 0 {
				t.Errorf("%d bytes in the arena, %d in data frames: want some of each", inArena, inData)
			}
		})
	}
}

func TestShelf_HasNoRoomUntilItIsTaken(t *testing.T) {
	t.Parallel()
	s, w, _ := newArena(t)
	whole := make([]byte, ArenaHalf)
	m := put(t, &s.Out, whole)
	if b, err := s.Out.Put([]byte("before"), 1, []byte{1}); string(b) != "before" || err != nil {
		t.Fatalf("a full shelf takes %q, %v", b, err)
	}
	var a Assembler
	if err := a.Begin(announced(1, ArenaHalf)); err != nil {
		t.Fatal(err)
	}
	if done, err := a.Fetch(m, &w.In); done == nil || err != nil {
		t.Fatal(err)
	}
	if m := put(t, &s.Out, whole[:1]); m.Place != 0 {
		t.Errorf("an empty shelf begins at %d", m.Place)
	}
	if b, err := s.Out.Put(nil, 1, whole); b != nil || err != nil {
		t.Errorf("more than there is room for: %d bytes, %v", len(b), err)
	}
	if b, err := s.Out.Put(nil, 1); b != nil || err != nil {
		t.Errorf("nothing has a place: %d bytes, %v", len(b), err)
	}
	if b, err := (*Shelf)(nil).Put(nil, 1, whole); b != nil || err != nil {
		t.Errorf("no shelf takes %d bytes, %v", len(b), err)
	}
}

func put(t testing.TB, s *Shelf, p []byte) *Message {
	t.Helper()
	frame, err := s.Put(nil, 1, p)
	return placed(t, frame, err)
}

// What the receiver says that it has taken is as hostile as all else.
func TestShelf_RefusesCountsThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(taken uint64) uint64{
		"twice":       func(n uint64) uint64 { return 2 * n },
		"more by one": func(n uint64) uint64 { return n + 1 },
		"2^64-1":      func(uint64) uint64 { return 1<<64 - 1 },
		"taken back":  func(n uint64) uint64 { return n - 1 },
	} {
		s, w, _ := newArena(t)
		m := put(t, &s.Out, make([]byte, 1000))
		w.In.free(m.Size)
		if b, err := s.Out.Put(nil, 1, nil); b != nil || err != nil {
			t.Errorf("%s: before the lie: %v", name, err)
		}
		w.In.taken.Store(lie(m.Size))
		if b, err := s.Out.Put(nil, 1, []byte{1}); b != nil || !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

func TestFetch_RefusesHostilePlaces(t *testing.T) {
	t.Parallel()
	const most = ^uint64(0)
	for name, m := range map[string]Message{
		"an offset beyond":       {ID: 1, Place: ArenaHalf + 1, Size: 1},
		"an offset at the end":   {ID: 1, Place: ArenaHalf, Size: 1},
		"a huge offset":          {ID: 1, Place: most, Size: 1},
		"an end beyond":          {ID: 1, Place: ArenaHalf - 9, Size: 10},
		"a huge size":            {ID: 1, Place: 1, Size: most},
		"a sum that wraps":       {ID: 1, Place: 2, Size: most - 1},
		"all of memory":          {ID: 1, Size: SharedSize},
		"another payload":        {ID: 2, Size: 10},
		"more than was promised": {ID: 1, Size: 101},
	} {
		_, w, _ := newArena(t)
		var a Assembler
		if err := a.Begin(announced(1, 100)); err != nil {
			t.Fatal(err)
		}
		m.Kind = KindPlace
		if whole, err := a.Fetch(&m, &w.In); whole != nil || !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := new(Assembler).Fetch(&Message{Kind: KindPlace, ID: 1, Size: 1}, nil); !errors.Is(err, ErrProtocol) {
		t.Errorf("without an arena: %v", err)
	}
	_, w, _ := newArena(t)
	if _, err := new(Assembler).Fetch(&Message{Kind: KindPlace, ID: 1, Size: 1}, &w.In); !errors.Is(err, ErrProtocol) {
		t.Errorf("of a payload that was not announced: %v", err)
	}
}

// The sender may write again while the payload is judged.
func TestFetch_CopiesBeforeAnybodyLooks(t *testing.T) {
	t.Parallel()
	s, w, mem := newArena(t)
	want := body(MaxInline + 1)
	m := put(t, &s.Out, want)
	var a Assembler
	if err := a.Begin(announced(1, uint64(len(want)))); err != nil {
		t.Fatal(err)
	}
	whole, err := a.Fetch(m, &w.In)
	if err != nil || whole == nil {
		t.Fatal(err)
	}
	clear(mem[arenaOffset:])
	if !bytes.Equal(whole.Body, want) {
		t.Error("the payload is a part of the arena")
	}
	if m.Body != nil {
		t.Error("the frame still leads there")
	}
	if m.Bytes != uint64(len(want)) {
		t.Errorf("%d bytes are counted, want %d", m.Bytes, len(want))
	}
}

func TestOpenArena_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	_, _, mem := newArena(t)
	change := func(at int) []byte {
		b := bytes.Clone(mem)
		b[at]++
		return b
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "a page alone": mem[:PageSize], "a byte less": mem[:SharedSize-1],
		"another offset": change(pageArena), "another size": change(pageHalf),
	} {
		if OpenArena(b) != nil {
			t.Errorf("%s opens", name)
		}
	}
	if a, err := FormatArena(make([]byte, PageSize)); a != nil || err == nil {
		t.Error("a page has room for an arena")
	}
	plain := make([]byte, SharedSize)
	if _, err := FormatPage(plain); err != nil || OpenArena(plain) != nil {
		t.Errorf("an arena that was not offered opens, %v", err)
	}
}

// FuzzFetch gives a receiver frames of a hostile sender, which also writes the
// arena meanwhile. What comes of it is never more than was announced.
func FuzzFetch(f *testing.F) {
	f.Add(AppendFrame(AppendFrame(nil, AppendResult(nil, 1, StatusOK, make([]byte, 100_000))), AppendPlace(nil, 1, 0, 100_000)))
	f.Add(AppendFrame(AppendFrame(nil, AppendResultSize(nil, 1, StatusOK, 10)), AppendPlace(nil, 1, ArenaHalf-1, 2)))
	f.Add(AppendFrame(AppendFrame(AppendFrame(nil, AppendResultSize(nil, 1, StatusOK, 10)), AppendPlace(nil, 1, 5, 4)), AppendData(nil, 1, []byte("abcdef"))))
	f.Add(AppendFrame(nil, AppendPlace(nil, 1<<63, 1<<63, 1<<63)))
	_, w, mem := newArena(f)
	f.Fuzz(func(t *testing.T, stream []byte) {
		const most = 3 * ArenaHalf
		r, a := NewReader(bytes.NewReader(stream)), Assembler{Max: most}
		r.Into(&a)
		for n := 0; ; n++ {
			b, err := r.Next()
			if err != nil {
				return
			}
			m, err := Parse(b)
			if err != nil {
				return
			}
			mem[arenaOffset+n%ArenaHalf]++
			var whole *Message
			var size uint64
			if open := a.Open(); open != nil {
				size = open.Size
			}
			switch {
			case m.Kind == KindPlace:
				whole, err = a.Fetch(&m, &w.In)
			case m.Kind == KindData:
				whole, err = a.Add(&m)
			case m.Chunked():
				err = a.Begin(&m)
			}
			if err != nil {
				if !errors.Is(err, ErrProtocol) {
					t.Fatal(err)
				}
				return
			}
			if whole != nil && uint64(len(whole.Body)) != size {
				t.Fatalf("%d bytes of %d", len(whole.Body), size)
			}
		}
	})
}
