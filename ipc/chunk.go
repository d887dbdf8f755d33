package ipc

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"
)

// Chunks are not copied on their way between a payload and the pipe: on this side
// a write takes their heads and parts of the payload in turn, on the other a read
// puts what it gets where it belongs.

const (
	// MaxChunks is how many chunks Chunks takes at a time: other frames go between
	// two such groups.
	MaxChunks = 4

	// chunkHead is the room for a length and what stands before a chunk's bytes.
	chunkHead = headerSize + 1 + 1 + 9 + 5

	// leastDirect is how much of a chunk must be still to come for it to be worth
	// not to be copied.
	leastDirect = 4 << 10

	// readAhead is how much of what follows a chunk is read with it: a few heads.
	readAhead = 512
)

// Chunks are data frames whose bytes are parts of a payload. The zero value is
// ready.
type Chunks struct {
	heads [MaxChunks * chunkHead]byte
	parts [2 * MaxChunks][]byte
}

// Cut returns the frames, headers included, of up to MaxChunks chunks of the
// front of payload. They are valid until the next call.
func (c *Chunks) Cut(id uint64, payload []byte) [][]byte {
	heads, parts := c.heads[:0], c.parts[:0]
	for len(payload) > 0 && len(parts) < len(c.parts) {
		n := min(len(payload), MaxInline)
		start := len(heads)
		heads = append(heads, 0, 0, 0, 0)
		heads = appendBinLen(appendHead(heads, 3, KindData, id), n)
		binary.BigEndian.PutUint32(heads[start:], uint32(len(heads)-start-headerSize+n))
		parts = append(parts, heads[start:len(heads):len(heads)], payload[:n:n])
		payload = payload[n:]
	}
	return parts
}

// PutChunks writes chunks of the front of payload, at most MaxChunks, without
// copying them, and blocks until the pipe has taken them, and what was pending
// before. It returns how many bytes of payload that were.
func (l *Link) PutChunks(id uint64, payload []byte) (int, error) {
	for l.Pending() || l.werr != nil {
		if l.werr != nil {
			return 0, l.werr
		}
		n, err := l.w.Write(l.out[l.sent:])
		l.wrote(n)
		if err != nil {
			l.werr = err
		}
	}
	payload = payload[:min(len(payload), MaxChunks*MaxInline)]
	parts := l.chunks.Cut(id, payload)
	if l.raw != nil {
		_, l.werr = WriteParts(l.raw, parts)
	} else {
		for _, p := range parts {
			if _, l.werr = l.w.Write(p); l.werr != nil {
				break
			}
		}
	}
	return len(payload), l.werr
}

// WriteParts writes all parts to a descriptor that does not block, in as few
// calls as it takes them in, and waits for room meanwhile. It returns how many
// bytes were written. The slices in parts are used up.
func WriteParts(raw syscall.RawConn, parts [][]byte) (n int, err error) {
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for {
			m, err := writeParts(fd, parts)
			n += m
			if parts = advance(parts, m); len(parts) == 0 {
				return true
			}
			switch {
			case err == nil || errors.Is(err, syscall.EINTR):
			case errors.Is(err, syscall.EAGAIN):
				return false
			default:
				failed = os.NewSyscallError("write", err)
				return true
			}
		}
	})
	if err == nil {
		err = failed
	}
	return n, err
}

// advance takes n bytes from the front of parts.
func advance(parts [][]byte, n int) [][]byte {
	for len(parts) > 0 && n >= len(parts[0]) {
		n -= len(parts[0])
		parts = parts[1:]
	}
	if n > 0 {
		parts[0] = parts[0][n:]
	}
	return parts
}

// Into lets the reader put the bytes of chunks straight into the payload that a
// has begun, where they have not arrived yet. What Next returns of such a chunk is
// a shorter one, with its last byte; a knows of the others. It must be given to
// a.Add before Next is called again.
func (r *Reader) Into(a *Assembler) {
	r.parts = a
	if c, ok := r.src.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil && nonblocking(raw) {
			r.raw = raw
		}
	}
}

// space is where the next read may write to. While a payload is open that is no
// more than the rest of a frame and the heads behind it, so that the bytes of the
// next chunk have not arrived when its head is seen.
func (r *Reader) space() []byte {
	p := r.buf[r.w:]
	if r.parts == nil || !r.parts.open {
		return p
	}
	n := readAhead
	if have := r.w - r.r; have >= headerSize {
		n += max(0, int(r.length())+headerSize-have)
	}
	return p[:min(n, len(p))]
}

// divert looks whether the frame at the front is a chunk that is to be put where
// it belongs. It leaves all that is not exactly as it should be to Add. In the
// buffer then stands a chunk of one byte: the last one, which comes behind the
// others.
func (r *Reader) divert() {
	a := r.parts
	if a == nil || !a.open || r.direct > 0 || r.w-r.r < chunkHead {
		return
	}
	id, c, size := a.msg.ID, cursor{b: r.buf[r.r+headerSize : r.w]}, 0
	if !c.chunkHead(id, &size) || c.p+size != int(r.length()) || size > MaxInline ||
		uint64(len(a.buf)+size) > a.msg.Size || size-c.left() < leastDirect {
		return
	}
	a.room(size)
	r.direct = size - 1 - a.took(copy(a.free(), c.b[c.p:]))
	b := appendBinLen(appendHead(r.buf[:headerSize], 3, KindData, id), 1)
	binary.BigEndian.PutUint32(b, uint32(len(b)-headerSize+1))
	r.r, r.w = 0, len(b)
}

// chunkHead reads what stands before the bytes of a chunk of a payload.
func (c *cursor) chunkHead(id uint64, size *int) bool {
	if n, ok := c.arrayLen(); !ok || n != 3 {
		return false
	}
	if k, ok := c.uint(); !ok || Kind(k) != KindData {
		return false
	}
	if have, ok := c.uint(); !ok || have != id || !c.isBin() {
		return false
	}
	c.p++
	n, ok := c.be(1 << (c.b[c.p-1] - 0xc4))
	*size = int(n)
	return ok
}

// readDirect reads once, into the payload, and what comes behind the chunk into
// the buffer.
func (r *Reader) readDirect() (n int, err error) {
	dst := r.parts.free()[:r.direct]
	if r.raw != nil {
		// With a deadline in the past this reads nothing, and the source decides.
		r.raw.Read(func(fd uintptr) bool {
			n = readParts(fd, dst, r.buf[r.w:r.w+readAhead])
			return true
		})
	}
	if n == 0 {
		n, err = r.src.Read(dst)
	}
	r.direct -= r.parts.took(min(n, r.direct))
	return n, err
}
