package ipc

import (
	"bytes"
	"errors"
	"testing"
)

func announced(id, size uint64) *Message {
	return &Message{Kind: KindJob, ID: id, Name: []byte("task"), Label: []byte("label"), Key: []byte("key"), Size: size}
}

func chunk(id uint64, b []byte) *Message { return &Message{Kind: KindData, ID: id, Body: b} }

func TestAssembler_PutsChunksTogether(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 100, MaxInline, MaxInline + 1, 3*MaxInline + 7, 2 << 20} {
		for _, step := range []int{1, 1000, MaxInline} {
			if size/step > 5000 {
				continue
			}
			want := body(size)
			var a Assembler
			m := announced(5, uint64(size))
			if err := a.Begin(m); err != nil {
				t.Fatal(err)
			}
			clear(m.Name) // the buffer that it was parsed from is used again
			clear(m.Label)
			clear(m.Key)
			rest := bytes.Clone(want)
			var done *Message
			for len(rest) > 0 {
				if a.Open() == nil || a.Open().ID != 5 || done != nil {
					t.Fatalf("%d bytes are left, but nothing is open", len(rest))
				}
				n := min(step, len(rest))
				var err error
				if done, err = a.Add(chunk(5, rest[:n])); err != nil {
					t.Fatal(err)
				}
				clear(rest[:n])
				rest = rest[n:]
			}
			if done == nil || !bytes.Equal(done.Body, want) {
				t.Fatalf("%d bytes in steps of %d did not come together", size, step)
			}
			if string(done.Name) != "task" || string(done.Label) != "label" || string(done.Key) != "key" || done.ID != 5 {
				t.Errorf("the message became %+v", done)
			}
			if done.Chunked() || a.Open() != nil {
				t.Error("still open")
			}
			if cap(done.Body) > 2*size+MaxInline {
				t.Errorf("%d bytes are kept in %d", size, cap(done.Body))
			}
		}
	}
}

// A payload of a few bytes does not keep the memory of a large one before it.
func TestSpare_FitsWhatItIsFor(t *testing.T) {
	t.Parallel()
	const most = 1000
	for range 100 { // others take from the same pool meanwhile
		Recycle(make([]byte, spareMax))
		Recycle(make([]byte, 2*MaxInline))
		if b := Spare(most); cap(b) > 2*most+MaxInline {
			t.Fatalf("%d bytes for a payload of %d", cap(b), most)
		}
	}
}

func TestAssembler_Refuses(t *testing.T) {
	t.Parallel()
	small := func() *Assembler { return &Assembler{Max: 100} }
	for name, f := range map[string]func() error{
		"a size over its cap":     func() error { return small().Begin(announced(1, 101)) },
		"a size over the default": func() error { return new(Assembler).Begin(announced(1, MaxMessage+1)) },
		"a size of 2^64-1":        func() error { return new(Assembler).Begin(announced(1, 1<<64-1)) },
		"an inline payload":       func() error { return small().Begin(&Message{Kind: KindJob, ID: 1, Size: 1, Body: []byte("a")}) },
		"no payload":              func() error { return small().Begin(&Message{Kind: KindJob, ID: 1}) },
		"a second payload": func() error {
			a := small()
			if err := a.Begin(announced(1, 10)); err != nil {
				return nil
			}
			return a.Begin(announced(2, 10))
		},
		"a chunk of nothing open": func() error { _, err := small().Add(chunk(0, []byte("a"))); return err },
		"a chunk of another id": func() error {
			a := small()
			if err := a.Begin(announced(1, 10)); err != nil {
				return nil
			}
			_, err := a.Add(chunk(2, []byte("a")))
			return err
		},
		"a byte too many": func() error {
			a := small()
			if err := a.Begin(announced(1, 10)); err != nil {
				return nil
			}
			_, err := a.Add(chunk(1, body(11)))
			return err
		},
		"a chunk after the last": func() error {
			a := small()
			if err := a.Begin(announced(1, 2)); err != nil {
				return nil
			}
			if done, err := a.Add(chunk(1, body(2))); err != nil || done == nil {
				return nil
			}
			_, err := a.Add(chunk(1, body(1)))
			return err
		},
	} {
		if err := f(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", name, err)
		}
	}
}

func TestAssembler_TakesTheCapItself(t *testing.T) {
	t.Parallel()
	a := Assembler{Max: 100}
	if err := a.Begin(announced(1, 100)); err != nil {
		t.Fatal(err)
	}
	if done, err := a.Add(chunk(1, body(100))); err != nil || done == nil {
		t.Error(done, err)
	}
}

func TestAssembler_APromiseCostsLittle(t *testing.T) {
	got := allocated(func() {
		var a Assembler
		if err := a.Begin(announced(1, MaxMessage)); err != nil {
			t.Error(err)
		}
		if _, err := a.Add(chunk(1, body(10))); err != nil {
			t.Error(err)
		}
	})
	if got > 256<<10 {
		t.Errorf("%d bytes for 10 of 64 MiB", got)
	}
}
