package ipc

import (
	"encoding/binary"
	"sync/atomic"
)

// An arena is memory behind the shared page in which long payloads travel: the
// sender copies a part of one there and tells its place in a frame, the receiver
// copies it out and counts it as taken. There is a half for each direction. Its
// bytes are as hostile as those of a pipe, and may change while they are looked
// at: nothing is ever parsed there.
//
// A half is used from front to back and around, in the order of the frames; so one
// number says what is free again. Whoever finds no room uses data frames, and need
// never wait for any.

const (
	// ArenaHalf is the size in bytes of the half of one direction: half of the credit.
	ArenaHalf = DefaultCredit / 2

	// arenaOffset is a multiple of the pages of all systems, and leaves the ring its
	// room.
	arenaOffset = 512 << 10

	// SharedSize is the size in bytes of a page with an arena behind it.
	SharedSize = arenaOffset + 2*ArenaHalf

	pageArena   = 12 // u32: where the arena begins, 0 if there is none
	pageHalf    = 16 // u32: size of one half
	pageTakenBy = 24 // u64: bytes that the worker has taken, and behind it the supervisor
)

// Arena is one side's view of an arena.
type Arena struct {
	Out Shelf // where this side puts
	In  Tray  // where the other one does
}

// Shelf is where a side puts parts of its payloads. One goroutine at a time may
// use it.
type Shelf struct {
	mem   []byte
	taken *atomic.Uint64 // the other side's count
	put   uint64         // bytes so far
	seen  uint64         // of them, taken
	at    int            // where the next ones go
}

// Tray is where a side takes what the other has put on its Shelf.
type Tray struct {
	mem   []byte
	taken *atomic.Uint64
	count uint64
}

// FormatArena tells of an arena in a page that FormatPage has made of the first
// bytes of mem, which has SharedSize bytes, and returns the supervisor's view.
func FormatArena(mem []byte) (*Arena, error) {
	p := &Page{mem}
	if !usable(mem) || len(mem) < SharedSize {
		return nil, ErrBadPage
	}
	binary.NativeEndian.PutUint32(mem[pageArena:], arenaOffset)
	binary.NativeEndian.PutUint32(mem[pageHalf:], ArenaHalf)
	toWorker, fromWorker := halves(mem)
	return &Arena{
		Out: Shelf{mem: toWorker, taken: p.word(pageTakenBy)},
		In:  Tray{mem: fromWorker, taken: p.word(pageTakenBy + 8)},
	}, nil
}

// OpenArena is what a worker does with all of the memory that it was given. It
// returns nil if that has no arena, or one of another form.
func OpenArena(mem []byte) *Arena {
	if !usable(mem) || len(mem) < SharedSize ||
		binary.NativeEndian.Uint32(mem[pageArena:]) != arenaOffset ||
		binary.NativeEndian.Uint32(mem[pageHalf:]) != ArenaHalf {
		return nil
	}
	p := &Page{mem}
	toWorker, fromWorker := halves(mem)
	return &Arena{
		Out: Shelf{mem: fromWorker, taken: p.word(pageTakenBy + 8)},
		In:  Tray{mem: toWorker, taken: p.word(pageTakenBy)},
	}
}

func halves(mem []byte) (toWorker, fromWorker []byte) {
	const middle = arenaOffset + ArenaHalf
	return mem[arenaOffset:middle:middle], mem[middle:SharedSize:SharedSize]
}

// room updates what the other side has taken, and returns how many bytes can be
// put in one piece.
func (s *Shelf) room() (int, error) {
	taken := s.taken.Load()
	if taken < s.seen || taken > s.put {
		return 0, violation(KindPlace, "%d bytes of the arena were taken, after %d, of %d", taken, s.seen, s.put)
	}
	s.seen = taken
	if taken == s.put {
		s.at = 0 // the same memory again: it is in the cache, and no more of it is used
	}
	return min(len(s.mem)-int(s.put-taken), len(s.mem)-s.at), nil
}

// Put copies the parts, together, to one place, and appends the body of the frame
// that says so. It returns b as it was if they have no room there in one piece, or
// s is nil. An error is a violation by the other side.
func (s *Shelf) Put(b []byte, id uint64, parts ...[]byte) ([]byte, error) {
	if s == nil {
		return b, nil
	}
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	room, err := s.room()
	if err != nil || size == 0 || size > room {
		return b, err
	}
	place := s.at
	for _, p := range parts {
		s.at = len(Append(s.mem[:s.at], p))
	}
	s.put += uint64(size)
	s.at %= len(s.mem)
	return AppendPlace(b, id, uint64(place), uint64(size)), nil
}

// Total is how many bytes were put, so far; 0 of a nil Shelf.
func (s *Shelf) Total() uint64 {
	if s == nil {
		return 0
	}
	return s.put
}

// bytes returns what a place frame is about, which its sender may still change. A
// nil Tray has none.
func (c *Tray) bytes(m *Message) ([]byte, error) {
	switch {
	case c == nil:
		return nil, violation(KindPlace, "no arena is in use")
	case m.Place > uint64(len(c.mem)) || m.Size > uint64(len(c.mem))-m.Place:
		return nil, violation(KindPlace, "%d bytes at %d of an arena of %d", m.Size, m.Place, len(c.mem))
	}
	return c.mem[m.Place : m.Place+m.Size], nil
}

// free counts n bytes as taken.
func (c *Tray) free(n uint64) {
	c.count += n
	c.taken.Store(c.count)
}
