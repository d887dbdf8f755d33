package queue

import (
	"encoding/binary"
	"fmt"

	"github.com/feac4032/multiproc/ipc"
)

// An item travels as one or more frames of package ipc: a four-byte big-endian
// length and so many bytes. The first of these is a mark: markMore says that the
// item goes on in the next frame, markLast that it ends with this one.
const (
	markLast = 0
	markMore = 1

	frameHeader = 5 // length and mark

	// maxPart is how many bytes of an item go into one frame: 64 KiB with the
	// header.
	maxPart = 64<<10 - frameHeader
)

// appendPart appends one frame with the next bytes of msg, and returns how many
// those were. It was the last frame if they are all.
func appendPart(dst, msg []byte) ([]byte, int) {
	n, mark := len(msg), byte(markLast)
	if n > maxPart {
		n, mark = maxPart, markMore
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(n+1))
	dst = append(dst, mark)
	return append(dst, msg[:n]...), n
}

// parser puts items together from the bytes of a hostile stream. Its memory
// grows with what has arrived of one item, never with what a length promises,
// up to MaxItem bytes. The zero value is at the start of a stream.
type parser struct {
	header [frameHeader]byte
	have   int    // bytes of header, when it came in pieces
	open   bool   // inside a frame
	last   bool   // the frame is the item's last
	left   int    // bytes of the frame that are missing
	part   []byte // of the item, so far
}

// next consumes bytes from the front of in, up to the end of an item, and
// returns how many. If ok, item is a whole item: part of in, unless owned.
func (p *parser) next(in []byte) (item []byte, used int, ok, owned bool, err error) {
	for {
		if !p.open {
			used += p.readHeader(in[used:])
			if p.have < frameHeader {
				return nil, used, false, false, nil
			}
			if err := p.begin(); err != nil {
				return nil, used, false, false, err
			}
		}
		have := in[used:]
		if p.last && p.part == nil && len(have) >= p.left {
			item, used = have[:p.left:p.left], used+p.left
			p.open = false
			return item, used, true, false, nil
		}
		n := min(p.left, len(have))
		p.grow(n)
		p.part = append(p.part, have[:n]...)
		p.left -= n
		used += n
		if p.left > 0 {
			return nil, used, false, false, nil
		}
		p.open = false
		if p.last {
			item, p.part = p.part, nil
			return item, used, true, true, nil
		}
	}
}

// grow makes room for n bytes that have arrived, by doubling.
func (p *parser) grow(n int) {
	if need := len(p.part) + n; need > cap(p.part) {
		p.part = append(make([]byte, 0, min(2*need, MaxItem)), p.part...)
	}
}

func (p *parser) readHeader(in []byte) int {
	n := copy(p.header[p.have:], in)
	p.have += n
	return n
}

// begin enters the frame whose header has been read.
func (p *parser) begin() error {
	p.have = 0
	n := binary.BigEndian.Uint32(p.header[:])
	mark := p.header[4]
	switch {
	case n == 0 || n > ipc.MaxFrame:
		return fmt.Errorf("frame of %d bytes, 1 to %d are allowed: %w", n, ipc.MaxFrame, ErrLost)
	case mark != markLast && mark != markMore:
		return fmt.Errorf("frame with mark %d: %w", mark, ErrLost)
	case mark == markMore && n == 1:
		return fmt.Errorf("empty frame inside an item: %w", ErrLost)
	}
	p.left, p.last = int(n)-1, mark == markLast
	if len(p.part)+p.left > MaxItem {
		return fmt.Errorf("item of more than %d bytes: %w", MaxItem, ErrLost)
	}
	p.open = true
	return nil
}

// between reports whether the stream is between two items, where it may end.
func (p *parser) between() bool { return p.have == 0 && !p.open && p.part == nil }
