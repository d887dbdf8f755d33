package ipc

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
)

// ValidatePayload reports whether b is exactly one msgpack value that is safe
// to hand to a decoder: no trailing bytes, nested at most MaxPayloadDepth deep,
// with no more elements promised than bytes are left to hold them, no duplicate
// map keys and none but text and integers, and no byte that msgpack does not
// define. Text need not be UTF-8. It neither recurses nor allocates by a length
// in b; it takes at most a few bytes of memory for each byte of b, and none for
// small maps. The error is a *ProtocolError.
func ValidatePayload(b []byte) error {
	return validate(b, MaxPayloadDepth, math.MaxInt)
}

// ValidateControl does the same for the msgpack of an envelope, with its own
// limits: MaxControlDepth and MaxControlElements.
func ValidateControl(b []byte) error {
	return validate(b, MaxControlDepth, MaxControlElements)
}

func validate(b []byte, maxDepth, maxElems int) error {
	n, err := walk(b, 1, maxDepth, maxElems)
	if err != nil {
		return err
	}
	if n != len(b) {
		return violation(0, "%d trailing bytes after the value", len(b)-n)
	}
	return nil
}

// level is an array or map that is being walked.
type level struct {
	left int // elements still to come, keys and values counted singly
	keys int // of a map: where the hashes of its keys begin; -1 for an array
}

// fewKeys is how many keys of a map are compared one by one as they come. More
// are compared at the end of the map, sorted.
const fewKeys = 16

// walk passes over the first count values in b and returns their length.
func walk(b []byte, count, maxDepth, maxElems int) (int, error) {
	var (
		levels [16]level
		keys   [32]uint64
		stack  = levels[:0]
		hashes = keys[:0] // of the keys of all open maps, the innermost last
		c      = cursor{b: b}
		owed   = count // elements promised and not yet read, over the whole stack
		seen   int
	)
	for {
		// Close what is complete.
		for len(stack) > 0 && stack[len(stack)-1].left == 0 {
			if from := stack[len(stack)-1].keys; from >= 0 {
				if len(hashes)-from > fewKeys && repeats(hashes[from:]) {
					return c.p, violation(0, "duplicate map key before byte %d", c.p)
				}
				hashes = hashes[:from]
			}
			stack = stack[:len(stack)-1]
		}
		if owed == 0 {
			return c.p, nil
		}
		if owed > c.left() {
			return c.p, overdrawn(uint64(owed), c.left())
		}
		if seen++; seen > maxElems {
			return c.p, violation(0, "more than %d elements", maxElems)
		}
		owed--
		start := c.p
		if len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.keys < 0 && top.left > 1 {
				// Long arrays are mostly of numbers.
				n := c.numbers(min(top.left-1, maxElems-seen))
				top.left -= n
				owed -= n
				seen += n
				if owed >= c.left() { // the one that was counted included
					return c.p, overdrawn(uint64(owed+1), c.left())
				}
				start = c.p
			}
			isKey := top.keys >= 0 && top.left%2 == 0
			top.left--
			if isKey {
				h, err := c.key()
				if err != nil {
					return start, err
				}
				if own := hashes[top.keys:]; len(own) < fewKeys && slices.Contains(own, h) {
					return start, violation(0, "duplicate map key at byte %d", start)
				}
				hashes = append(hashes, h)
				continue
			}
		}
		n, children, err := c.step()
		if err != nil {
			return start, err
		}
		if children == noChildren {
			continue
		}
		if len(stack) == maxDepth {
			return start, violation(0, "nested more than %d deep", maxDepth)
		}
		// owed is at most len(b) here, and n at most 2^33.
		if n+uint64(owed) > uint64(c.left()) {
			return start, overdrawn(n+uint64(owed), c.left())
		}
		owed += int(n)
		l := level{left: int(n), keys: -1}
		if children == mapChildren {
			l.keys = len(hashes)
		}
		stack = append(stack, l)
	}
}

func overdrawn(owed uint64, left int) error {
	return violation(0, "%d elements promised, %d bytes left", owed, left)
}

func truncated(at int) error { return violation(0, "value at byte %d is cut short", at) }

const (
	noChildren = iota
	arrayChildren
	mapChildren
)

// numbers passes over elements that are nil, bools or numbers, at most most of
// them, and returns how many there were.
func (c *cursor) numbers(most int) (n int) {
	b, p := c.b, c.p
	for ; n < most && p < len(b); n++ {
		t := b[p]
		width := 1
		if t >= 0x80 && t < 0xe0 {
			if t < 0xc0 || t > 0xd3 {
				break
			}
			if width = int(numberWidths[t-0xc0]); width == 0 || len(b)-p < width {
				break
			}
		}
		p += width
	}
	c.p = p
	return n
}

// numberWidths are the bytes that nil, bools and numbers have, by their types
// from 0xc0 on; 0 for other types.
var numberWidths = [...]uint8{
	0: 1, 2: 1, 3: 1, 0xca - 0xc0: 5, 0xcb - 0xc0: 9,
	0xcc - 0xc0: 2, 0xcd - 0xc0: 3, 0xce - 0xc0: 5, 0xcf - 0xc0: 9,
	0xd0 - 0xc0: 2, 0xd1 - 0xc0: 3, 0xd2 - 0xc0: 5, 0xd3 - 0xc0: 9,
}

// step reads one element, or the head of an array or map: then n is how many
// elements follow in it.
func (c *cursor) step() (n uint64, children int, err error) {
	start := c.p
	t := c.b[c.p]
	c.p++
	var size uint64
	ok := true
	switch {
	case t < 0x80 || t >= 0xe0 || t == 0xc0 || t == 0xc2 || t == 0xc3:
		return 0, noChildren, nil
	case t < 0x90:
		return 2 * uint64(t&0x0f), mapChildren, nil
	case t < 0xa0:
		return uint64(t & 0x0f), arrayChildren, nil
	case t < 0xc0:
		size = uint64(t & 0x1f)
	case t == 0xdc || t == 0xdd:
		if n, ok = c.be(2 << (t - 0xdc)); !ok {
			return 0, 0, truncated(start)
		}
		return n, arrayChildren, nil
	case t == 0xde || t == 0xdf:
		if n, ok = c.be(2 << (t - 0xde)); !ok {
			return 0, 0, truncated(start)
		}
		return 2 * n, mapChildren, nil
	case t >= 0xc4 && t <= 0xc6: // bin
		size, ok = c.be(1 << (t - 0xc4))
	case t >= 0xc7 && t <= 0xc9: // ext: a type byte stands before the data
		size, ok = c.be(1 << (t - 0xc7))
		size++
	case t == 0xca: // float32
		size = 4
	case t == 0xcb: // float64
		size = 8
	case t >= 0xcc && t <= 0xcf: // uint
		size = 1 << (t - 0xcc)
	case t >= 0xd0 && t <= 0xd3: // int
		size = 1 << (t - 0xd0)
	case t >= 0xd4 && t <= 0xd8: // fixext
		size = 1 + 1<<(t-0xd4)
	case t >= 0xd9 && t <= 0xdb: // str
		size, ok = c.be(1 << (t - 0xd9))
	default: // 0xc1
		return 0, 0, violation(0, "byte 0x%02x at %d is no msgpack", t, start)
	}
	if ok {
		_, ok = c.bytes(size)
	}
	if !ok {
		return 0, 0, truncated(start)
	}
	return 0, noChildren, nil
}

// Keys are told apart by hashes under seeds that a sender cannot know, so that
// it cannot make two that meet. The same text or number may be written in
// several ways; the hash is of what it means.
var textSeed, intSeed = maphash.MakeSeed(), maphash.MakeSeed()

// key reads a map key, which must be text or an integer, and returns its hash.
func (c *cursor) key() (uint64, error) {
	start := c.p
	t := c.b[start]
	if t&0xe0 == 0xa0 || t >= 0xd9 && t <= 0xdb {
		s, ok := c.str()
		if !ok {
			return 0, truncated(start)
		}
		return maphash.Bytes(textSeed, s), nil
	}
	if !(t < 0x80 || t >= 0xe0 || t >= 0xcc && t <= 0xd3) {
		return 0, violation(0, "map key of type 0x%02x at byte %d", t, start)
	}
	if _, _, err := c.step(); err != nil {
		return 0, err
	}
	var number [9]byte // two's complement, and whether it is negative
	switch raw := c.b[start:c.p]; {
	case t >= 0xe0:
		number[8] = 1
		binary.LittleEndian.PutUint64(number[:], uint64(int8(t)))
	case t >= 0xd0 && raw[1] >= 0x80:
		number[8] = 1
		v := uint64(math.MaxUint64) // its sign, extended
		for _, x := range raw[1:] {
			v = v<<8 | uint64(x)
		}
		binary.LittleEndian.PutUint64(number[:], v)
	default:
		positive := cursor{b: raw}
		v, _ := positive.uint() // step has seen that it is whole
		binary.LittleEndian.PutUint64(number[:], v)
	}
	return maphash.Bytes(intSeed, number[:]), nil
}

// repeats reports whether a hash is there twice. It sorts them.
func repeats(hashes []uint64) bool {
	slices.Sort(hashes)
	for i := 1; i < len(hashes); i++ {
		if hashes[i] == hashes[i-1] {
			return true
		}
	}
	return false
}
