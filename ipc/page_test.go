package ipc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"unsafe"
)

func newPage(t *testing.T) (supervisor, worker *Page, mem []byte) {
	t.Helper()
	mem = make([]byte, PageSize)
	s, err := FormatPage(mem)
	if err != nil {
		t.Fatal(err)
	}
	w, err := OpenPage(mem)
	if err != nil {
		t.Fatal(err)
	}
	return s, w, mem
}

// write appends to the stream in the ring, of which end bytes are there.
func (p *Page) write(end uint64, b []byte) uint64 {
	for i, x := range b {
		p.Ring()[(end+uint64(i))%RingSize] = x
	}
	end += uint64(len(b))
	p.SetEnd(end)
	return end
}

func TestPage_TellsWhatStarted(t *testing.T) {
	t.Parallel()
	s, w, _ := newPage(t)
	for i := range MaxSlots {
		if got := s.Started(i); got != 0 {
			t.Errorf("slot %d has %d before anything started", i, got)
		}
		w.SetStarted(i, uint64(1000+i))
	}
	for i := range MaxSlots {
		if got := s.Started(i); got != uint64(1000+i) {
			t.Errorf("slot %d has %d", i, got)
		}
	}
	if s.Rest(0) != nil {
		t.Error("slots reach into the stream's end")
	}
}

func TestPage_IgnoresSlotsThatItHasNot(t *testing.T) {
	t.Parallel()
	s, w, mem := newPage(t)
	before := bytes.Clone(mem)
	for _, slot := range []int{-1, MaxSlots, MaxSlots + 1, math.MaxInt, math.MinInt} {
		w.SetStarted(slot, 7)
		if got := s.Started(slot); got != 0 {
			t.Errorf("slot %d has %d", slot, got)
		}
	}
	if !bytes.Equal(mem, before) {
		t.Error("the page was written to")
	}
}

func TestPage_GivesTheRestOfTheStream(t *testing.T) {
	t.Parallel()
	for _, start := range []uint64{0, 1, RingSize - 100, RingSize - 1, RingSize, 5*RingSize + 17, 1 << 40} {
		for _, n := range []int{1, 99, 100, 101, RingSize - 1, RingSize} {
			s, w, _ := newPage(t)
			want := body(n)
			end := w.write(start, want)
			if got := s.Rest(start); !bytes.Equal(got, want) {
				t.Errorf("%d bytes from %d: %d came, or others", n, start, len(got))
			}
			if got := s.Rest(end - 1); !bytes.Equal(got, want[n-1:]) {
				t.Errorf("the last byte of %d from %d is % x", n, start, got)
			}
			if got := s.Rest(end); got != nil {
				t.Errorf("%d bytes after the end", len(got))
			}
		}
	}
}

func TestPage_RestIsACopy(t *testing.T) {
	t.Parallel()
	s, w, _ := newPage(t)
	w.write(0, []byte("abc"))
	got := s.Rest(0)
	clear(w.Ring())
	if string(got) != "abc" {
		t.Errorf("it became %q", got)
	}
}

func TestPage_DoesNotBelieveLies(t *testing.T) {
	t.Parallel()
	s, w, _ := newPage(t)
	for _, lie := range []struct{ end, received uint64 }{
		{RingSize + 1, 0},
		{math.MaxUint64, 0},
		{math.MaxUint64, math.MaxUint64 - RingSize - 1},
		{5, 6},
		{0, math.MaxUint64},
		{1 << 63, 1},
	} {
		w.SetEnd(lie.end)
		if got := s.Rest(lie.received); got != nil {
			t.Errorf("end %d, received %d: %d bytes", lie.end, lie.received, len(got))
		}
	}
	w.SetEnd(math.MaxUint64) // strange, but not impossible
	if got := s.Rest(math.MaxUint64 - 3); len(got) != 3 {
		t.Errorf("%d bytes at the end of all streams", len(got))
	}
}

func TestPage_BytesFromTheRingContinueThePipe(t *testing.T) {
	t.Parallel()
	s, w, _ := newPage(t)
	stream := frames(AppendResult(nil, 1, StatusOK, body(10)), AppendResult(nil, 2, StatusOK, body(10)), AppendResult(nil, 3, StatusOK, body(10)))
	w.write(0, stream)
	for cut := range stream {
		r := NewReader(bytes.NewReader(stream[:cut]))
		n := 0
		read := func() {
			for {
				b, err := r.Next()
				if err != nil {
					return
				}
				n++
				if m, err := Parse(b); err != nil || m.ID != uint64(n) {
					t.Fatalf("cut at %d: frame %d is of %d, %v", cut, n, m.ID, err)
				}
			}
		}
		read()
		r.Append(s.Rest(r.Total()))
		read()
		if n != 3 {
			t.Errorf("cut at %d: %d results", cut, n)
		}
	}
}

func TestPage_RefusesOtherMemory(t *testing.T) {
	t.Parallel()
	_, _, good := newPage(t)
	spoil := func(off int) []byte {
		b := bytes.Clone(good)
		binary.NativeEndian.PutUint32(b[off:], binary.NativeEndian.Uint32(b[off:])+1)
		return b
	}
	odd := make([]byte, PageSize+8)
	copy(odd[1:], good)
	for name, mem := range map[string][]byte{
		"nothing": nil, "too small": good[:PageSize-1], "zeros": make([]byte, PageSize),
		"another magic": spoil(0), "other slots": spoil(4), "another ring": spoil(8),
		"not aligned": odd[1:],
	} {
		if _, err := OpenPage(mem); !errors.Is(err, ErrBadPage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FormatPage(make([]byte, PageSize-1)); !errors.Is(err, ErrBadPage) {
		t.Errorf("format: %v", err)
	}
	if uintptr(unsafe.Pointer(&odd[0]))%8 != 0 {
		t.Error("the memory to be shifted was not aligned itself")
	}
}

func TestPage_LayoutIsAsDocumented(t *testing.T) {
	t.Parallel()
	_, w, mem := newPage(t)
	w.SetEnd(0x1122)
	w.SetStarted(0, 0x3344)
	w.SetStarted(61, 0x5566)
	w.Ring()[0] = 0x77
	w.Ring()[RingSize-1] = 0x88
	u32 := func(off int) uint64 { return uint64(binary.NativeEndian.Uint32(mem[off:])) }
	u64 := func(off int) uint64 { return binary.NativeEndian.Uint64(mem[off:]) }
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"magic", u32(0), 0x4d505031},
		{"slots", u32(4), 62},
		{"ring size", u32(8), 262144},
		{"end", u64(64), 0x1122},
		{"slot 0", u64(128), 0x3344},
		{"slot 61", u64(128 + 64*61), 0x5566},
		{"first of the ring", uint64(mem[4096]), 0x77},
		{"last of the ring", uint64(mem[266239]), 0x88},
		{"size", uint64(len(mem)), 266240},
	} {
		if c.got != c.want {
			t.Errorf("%s is %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

func TestPage_TellsWhichItem(t *testing.T) {
	t.Parallel()
	p, err := FormatPage(make([]byte, PageSize+8)[:PageSize])
	if err != nil {
		t.Skip(err) // not aligned
	}
	p.SetItem(0, 5)
	p.SetStarted(0, 11)
	p.SetItem(MaxSlots-1, 7)
	p.SetStarted(MaxSlots-1, 12)
	p.SetItem(-1, 1)
	p.SetItem(MaxSlots, 1)
	for id, want := range map[uint64]uint64{11: 5, 12: 7, 13: 0} {
		if got := p.ItemOf(id); got != want {
			t.Errorf("job %d is at item %d, want %d", id, got, want)
		}
	}
}
