package ipc

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"unsafe"
)

// Page is memory that a worker shares with its supervisor, so that the death of
// the worker, at whatever moment, leaves no doubt about what it had done:
//
//   - for each job that runs at a time, the id of the one that it started last,
//     stored just before the task's function is called, and, if that has many
//     items, which of them it is at;
//   - a ring with the last bytes of the worker's stream of frames, and how far
//     that stream goes. A result counts as given once it is in the ring; the
//     pipe may get it later, together with others. After the end of the pipe the
//     supervisor takes from the ring what the pipe had not yet brought.
//
// All numbers are in the byte order of the machine; the stores are atomic. The
// supervisor takes what it reads as a hint from a hostile source: bytes from the
// ring go through the same reader as those from the pipe.
//
// Layout: 0 magic u32 · 4 slots u32 · 8 ring bytes u32, a power of two · 12 to 40
// of the arena, see there · 64 end
// u64, the stream's length counted from the ready frame · 128 + 64·i started
// u64 of slot i, and behind it item u64 · 4096 the ring.
type Page struct{ mem []byte }

const (
	pageMagic  = 0x4d505031 // "MPP1"
	pageEnd    = 64
	pageSlots  = 128
	slotStride = 64
	slotItem   = 8 // where item stands in a slot
	ringOffset = 4096

	// MaxSlots is the number of jobs at a time that a page has room for.
	MaxSlots = (ringOffset - pageSlots) / slotStride

	// RingSize is the size in bytes of the ring that a supervisor offers.
	RingSize = 256 << 10

	// PageSize is the size in bytes of the whole page.
	PageSize = ringOffset + RingSize
)

// ErrBadPage is returned for memory that holds no page.
var ErrBadPage = errors.New("not a shared page")

// FormatPage makes a page of zeroed memory of at least PageSize bytes; the
// supervisor does this before the worker starts.
func FormatPage(mem []byte) (*Page, error) {
	if !usable(mem) {
		return nil, ErrBadPage
	}
	binary.NativeEndian.PutUint32(mem[4:], MaxSlots)
	binary.NativeEndian.PutUint32(mem[8:], RingSize)
	binary.NativeEndian.PutUint32(mem[0:], pageMagic)
	return &Page{mem[:PageSize]}, nil
}

// OpenPage is what a worker does with the memory it was given.
func OpenPage(mem []byte) (*Page, error) {
	if !usable(mem) ||
		binary.NativeEndian.Uint32(mem) != pageMagic ||
		binary.NativeEndian.Uint32(mem[4:]) != MaxSlots ||
		binary.NativeEndian.Uint32(mem[8:]) != RingSize {
		return nil, ErrBadPage
	}
	return &Page{mem[:PageSize]}, nil
}

// usable reports whether mem is large enough, and placed for atomic stores.
func usable(mem []byte) bool {
	return len(mem) >= PageSize && uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%8 == 0
}

func (p *Page) word(off int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&p.mem[off]))
}

// SetStarted records that slot, from 0 to MaxSlots-1, runs the job with this id.
// Another slot is not recorded.
func (p *Page) SetStarted(slot int, id uint64) {
	if slot >= 0 && slot < MaxSlots {
		p.word(pageSlots + slot*slotStride).Store(id)
	}
}

// Started returns the id of the last job that slot has started, 0 for none or
// for a slot that there is not.
func (p *Page) Started(slot int) uint64 {
	if slot < 0 || slot >= MaxSlots {
		return 0
	}
	return p.word(pageSlots + slot*slotStride).Load()
}

// SetItem records the item that slot is about to run, counted from 1; 0 = none.
// Before a job is recorded as started it must be 0, or the job would seem to be
// at an item of the one before.
func (p *Page) SetItem(slot int, item uint64) {
	if slot >= 0 && slot < MaxSlots {
		p.word(pageSlots + slot*slotStride + slotItem).Store(item)
	}
}

// ItemOf returns the item that the job with this id is at, counted from 1; 0 if
// it is at none, or is not what a slot has started last.
func (p *Page) ItemOf(id uint64) uint64 {
	for slot := range MaxSlots {
		if p.Started(slot) == id {
			return p.word(pageSlots + slot*slotStride + slotItem).Load()
		}
	}
	return 0
}

// Ring returns the ring's bytes, for the worker to write.
func (p *Page) Ring() []byte { return p.mem[ringOffset:] }

// SetEnd publishes that the stream up to offset n is in the ring or the pipe.
func (p *Page) SetEnd(n uint64) { p.word(pageEnd).Store(n) }

// Rest returns a copy of the stream's bytes from offset received on, as far as
// the worker had published them. Nil if there are none, or if what the page says
// cannot be true.
func (p *Page) Rest(received uint64) []byte {
	end := p.word(pageEnd).Load()
	if end <= received || end-received > RingSize {
		return nil
	}
	ring := p.mem[ringOffset:]
	from, n := int(received%RingSize), int(end-received)
	out := make([]byte, 0, n)
	if from+n > RingSize {
		out = append(out, ring[from:]...)
		n -= RingSize - from
		from = 0
	}
	return append(out, ring[from:from+n]...)
}
