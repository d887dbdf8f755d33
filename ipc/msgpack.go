package ipc

import (
	"encoding/binary"
	"math"
)

// The envelope is encoded and decoded by hand: it is on the path of every job,
// and its decoder must refuse what a general one lets pass.

func appendArrayLen(b []byte, n int) []byte {
	switch {
	case n < 16:
		return append(b, 0x90|byte(n))
	case n <= math.MaxUint16:
		return append(b, 0xdc, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint32(append(b, 0xdd), uint32(n))
	}
}

func appendMapLen(b []byte, n int) []byte { return append(b, 0x80|byte(n)) } // n < 16

func appendUint(b []byte, v uint64) []byte {
	switch {
	case v < 128:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return append(b, 0xcd, byte(v>>8), byte(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, 0xcf), v)
	}
}

func appendStr[T string | []byte](b []byte, s T) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		b = append(b, 0xd9, byte(n))
	case n <= math.MaxUint16:
		b = append(b, 0xda, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

func appendBinLen(b []byte, n int) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(b, 0xc4, byte(n))
	case n <= math.MaxUint16:
		return append(b, 0xc5, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint32(append(b, 0xc6), uint32(n))
	}
}

func appendBin(b, p []byte) []byte { return append(appendBinLen(b, len(p)), p...) }

// cursor reads msgpack from a slice. Every method reports false, and stays where
// it was or anywhere behind, when the next element is not of the asked kind or
// not whole; the caller gives up then. The one-byte encodings are kept apart
// from the others, so that they are inlined: most elements have them.
type cursor struct {
	b []byte
	p int
}

func (c *cursor) left() int { return len(c.b) - c.p }

func (c *cursor) peek() (byte, bool) {
	if c.p >= len(c.b) {
		return 0, false
	}
	return c.b[c.p], true
}

// be reads an n-byte big-endian number, n being 1, 2, 4 or 8, that follows a type
// byte.
func (c *cursor) be(n int) (uint64, bool) {
	if c.left() < n {
		return 0, false
	}
	s := c.b[c.p:]
	c.p += n
	switch n {
	case 1:
		return uint64(s[0]), true
	case 2:
		return uint64(binary.BigEndian.Uint16(s)), true
	case 4:
		return uint64(binary.BigEndian.Uint32(s)), true
	}
	return binary.BigEndian.Uint64(s), true
}

// arrayLen reads the head of an array.
func (c *cursor) arrayLen() (int, bool) {
	if c.p < len(c.b) && c.b[c.p]&0xf0 == 0x90 {
		c.p++
		return int(c.b[c.p-1] & 0x0f), true
	}
	return c.longLen(0xdc)
}

// mapLen reads the head of a map.
func (c *cursor) mapLen() (int, bool) {
	if c.p < len(c.b) && c.b[c.p]&0xf0 == 0x80 {
		c.p++
		return int(c.b[c.p-1] & 0x0f), true
	}
	return c.longLen(0xde)
}

// longLen reads a length of two bytes behind the type byte t, or of four behind
// the one after it. A length that the bytes left cannot hold is not returned.
func (c *cursor) longLen(t byte) (int, bool) {
	have, ok := c.peek()
	if !ok || have != t && have != t+1 {
		return 0, false
	}
	c.p++
	n, ok := c.be(2 << (have - t))
	if !ok || n > uint64(c.left()) {
		return 0, false
	}
	return int(n), true
}

func (c *cursor) uint() (uint64, bool) {
	if c.p < len(c.b) && c.b[c.p] < 0x80 {
		c.p++
		return uint64(c.b[c.p-1]), true
	}
	return c.longUint()
}

func (c *cursor) longUint() (uint64, bool) {
	t, ok := c.peek()
	if !ok {
		return 0, false
	}
	c.p++
	switch {
	case t >= 0xcc && t <= 0xcf:
		return c.be(1 << (t - 0xcc))
	case t >= 0xd0 && t <= 0xd3: // a signed encoding of a number that is not negative
		n := 1 << (t - 0xd0)
		v, ok := c.be(n)
		return v, ok && v>>(8*n-1) == 0
	}
	return 0, false
}

// bytes takes the n bytes that follow.
func (c *cursor) bytes(n uint64) ([]byte, bool) {
	if n > uint64(c.left()) {
		return nil, false
	}
	end := c.p + int(n)
	s := c.b[c.p:end:end]
	c.p = end
	return s, true
}

func (c *cursor) str() ([]byte, bool) {
	t, ok := c.peek()
	if !ok {
		return nil, false
	}
	c.p++
	n := uint64(t & 0x1f)
	if t&0xe0 != 0xa0 {
		if t < 0xd9 || t > 0xdb {
			return nil, false
		}
		if n, ok = c.be(1 << (t - 0xd9)); !ok {
			return nil, false
		}
	}
	return c.bytes(n)
}

// isBin reports whether the next element is a bin.
func (c *cursor) isBin() bool {
	return c.p < len(c.b) && c.b[c.p] >= 0xc4 && c.b[c.p] <= 0xc6
}

func (c *cursor) bin() ([]byte, bool) {
	if !c.isBin() {
		return nil, false
	}
	t := c.b[c.p]
	c.p++
	n, ok := c.be(1 << (t - 0xc4))
	if !ok {
		return nil, false
	}
	return c.bytes(n)
}

// skip walks over n elements of any kind, inside the array of an envelope.
func (c *cursor) skip(n int) error {
	size, err := walk(c.b[c.p:], n, MaxControlDepth-1, MaxControlElements)
	c.p += size
	return err
}
