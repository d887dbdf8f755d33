package ipc

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math"
)

// ValidatePayload reports whether b is exactly one msgpack value that is safe
// to hand to a decoder: no trailing bytes, nested at most MaxPayloadDepth deep,
// with no more elements promised than bytes are left to hold them, no duplicate
// or non-scalar map keys, and no byte that msgpack does not define. Text need
// not be UTF-8. It neither recurses nor allocates by a length in b.
// The error is a *ProtocolError.
func ValidatePayload(b []byte) error {
	return validate(b, MaxPayloadDepth, len(b)+1)
}

// ValidateControl does the same for the msgpack of an envelope, with its own
// limits: MaxControlDepth and MaxControlElements.
func ValidateControl(b []byte) error {
	return validate(b, MaxControlDepth, MaxControlElements)
}

func validate(b []byte, maxDepth, maxElems int) error {
	n, err := walk(b, maxDepth, maxElems)
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
	left int  // elements still to come, keys and values counted singly
	keys *set // of a map, nil for an array
}

// walk passes over the first value in b and returns its length.
func walk(b []byte, maxDepth, maxElems int) (int, error) {
	var (
		fixed [16]level
		stack = fixed[:0]
		c     = cursor{b: b}
		owed  = 1 // elements promised and not yet read, over the whole stack
		seen  int
	)
	for {
		// Close what is complete.
		for len(stack) > 0 && stack[len(stack)-1].left == 0 {
			stack = stack[:len(stack)-1]
		}
		if owed == 0 {
			return c.p, nil
		}
		if owed > c.left() {
			return c.p, violation(0, "%d elements promised, %d bytes left", owed, c.left())
		}
		if seen++; seen > maxElems {
			return c.p, violation(0, "more than %d elements", maxElems)
		}
		owed--
		isKey := false
		if len(stack) > 0 {
			top := &stack[len(stack)-1]
			isKey = top.keys != nil && top.left%2 == 0
			top.left--
		}
		start := c.p
		t := b[c.p]
		if isKey && !scalarKey(t) {
			return start, violation(0, "map key of type 0x%02x at byte %d", t, start)
		}
		n, kids, err := c.step()
		if err != nil {
			return start, err
		}
		if isKey {
			if !stack[len(stack)-1].keys.add(parseKey(b[start:c.p])) {
				return start, violation(0, "duplicate map key at byte %d", start)
			}
			continue
		}
		if kids == noChildren {
			continue
		}
		if len(stack) == maxDepth {
			return start, violation(0, "nested more than %d deep", maxDepth)
		}
		// n is at most 2^33 and owed at most len(b), so this cannot wrap.
		if n > c.left()-owed {
			return start, violation(0, "%d elements promised, %d bytes left", n+owed, c.left())
		}
		owed += n
		l := level{left: n}
		if kids == mapChildren {
			l.keys = new(set)
		}
		stack = append(stack, l)
	}
}

const (
	noChildren = iota
	arrayChildren
	mapChildren
)

// step reads one element, or the head of an array or map: then n is how many
// elements follow in it.
func (c *cursor) step() (n, children int, err error) {
	start := c.p
	t := c.b[c.p]
	switch {
	case t < 0x80 || t >= 0xe0 || t == 0xc0 || t == 0xc2 || t == 0xc3:
		c.p++
		return 0, noChildren, nil
	case t&0xf0 == 0x90 || t == 0xdc || t == 0xdd:
		n, ok := c.arrayLen()
		if !ok {
			return 0, 0, truncated(start)
		}
		return n, arrayChildren, nil
	case t&0xf0 == 0x80 || t == 0xde || t == 0xdf:
		n, ok := c.mapLen()
		if !ok {
			return 0, 0, truncated(start)
		}
		return 2 * n, mapChildren, nil
	}
	var size uint64
	ok := true
	c.p++
	switch {
	case t&0xe0 == 0xa0:
		size = uint64(t & 0x1f)
	case t >= 0xc4 && t <= 0xc6: // bin
		size, ok = c.be(1 << (t - 0xc4))
	case t >= 0xc7 && t <= 0xc9: // ext: a type byte stands before the data
		size, ok = c.be(1 << (t - 0xc7))
		size++
	case t == 0xca:
		size = 4
	case t == 0xcb:
		size = 8
	case t >= 0xcc && t <= 0xcf:
		size = 1 << (t - 0xcc)
	case t >= 0xd0 && t <= 0xd3:
		size = 1 << (t - 0xd0)
	case t >= 0xd4 && t <= 0xd8: // fixext
		size = 1 + 1<<(t-0xd4)
	case t >= 0xd9 && t <= 0xdb:
		size, ok = c.be(1 << (t - 0xd9))
	default: // 0xc1
		return 0, 0, violation(0, "byte 0x%02x at %d is no msgpack", t, start)
	}
	if !ok {
		return 0, 0, truncated(start)
	}
	if _, ok := c.bytes(size); !ok {
		return 0, 0, truncated(start)
	}
	return 0, noChildren, nil
}

func truncated(at int) error { return violation(0, "value at byte %d is cut short", at) }

// scalarKey reports whether a map key may begin with t: text and integers may.
func scalarKey(t byte) bool {
	return t < 0x80 || t >= 0xe0 || t&0xe0 == 0xa0 || t >= 0xd9 && t <= 0xdb || t >= 0xcc && t <= 0xd3
}

// mapKey is a key apart from how it was written: the same text or number may be
// encoded with different lengths.
type mapKey struct {
	text []byte
	num  uint64 // of an integer; a negative one in two's complement
	kind byte   // 't' text, 'n' negative, 'u' not negative
}

func parseKey(raw []byte) mapKey {
	c := cursor{b: raw}
	if s, ok := c.str(); ok {
		return mapKey{text: s, kind: 't'}
	}
	c.p = 0
	if v, ok := c.uint(); ok {
		return mapKey{num: v, kind: 'u'}
	}
	if raw[0] >= 0xe0 {
		return mapKey{num: uint64(int8(raw[0])), kind: 'n'}
	}
	v := uint64(math.MaxUint64) // sign-extend what follows the type byte
	for _, x := range raw[1:] {
		v = v<<8 | uint64(x)
	}
	return mapKey{num: v, kind: 'n'}
}

func (k mapKey) equal(o mapKey) bool {
	return k.kind == o.kind && k.num == o.num && bytes.Equal(k.text, o.text)
}

func (k mapKey) hash() uint64 {
	var h maphash.Hash
	h.SetSeed(keySeed)
	h.WriteByte(k.kind)
	if k.kind == 't' {
		h.Write(k.text)
	} else {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], k.num)
		h.Write(n[:])
	}
	return h.Sum64()
}

// set tells whether a key came before. The first 8 keys are compared; beyond
// that their hashes are, under a seed that a sender cannot know.
type set struct {
	few  []mapKey
	many map[uint64]struct{}
}

var keySeed = maphash.MakeSeed()

func (s *set) add(key mapKey) bool {
	if s.many == nil {
		for _, k := range s.few {
			if k.equal(key) {
				return false
			}
		}
		if s.few = append(s.few, key); len(s.few) <= 8 {
			return true
		}
		s.many = make(map[uint64]struct{}, 32)
		for _, k := range s.few {
			s.many[k.hash()] = struct{}{}
		}
		s.few = nil
		return true
	}
	h := key.hash()
	if _, dup := s.many[h]; dup {
		return false
	}
	s.many[h] = struct{}{}
	return true
}
