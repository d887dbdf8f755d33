package remote

import (
	"encoding/binary"
	"math"
)

// Payloads of calls and replies are arrays of few elements, written and read by
// hand: they are on the path of every acquire and put.

func appendArray(b []byte, n int) []byte {
	if n < 16 {
		return append(b, 0x90|byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xdd), uint32(n))
}

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

func appendInt(b []byte, v int64) []byte {
	if v >= 0 {
		return appendUint(b, uint64(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(v))
}

func appendText(b []byte, s string) []byte {
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

func appendBin(b, p []byte) []byte {
	switch n := len(p); {
	case n <= math.MaxUint8:
		b = append(b, 0xc4, byte(n))
	case n <= math.MaxUint16:
		b = append(b, 0xc5, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xc6), uint32(n))
	}
	return append(b, p...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0xc3)
	}
	return append(b, 0xc2)
}

func appendNil(b []byte) []byte { return append(b, 0xc0) }

// scanner reads a payload. The first element that is not what was asked for, or
// not whole, makes it bad; from then on it returns zero values.
type scanner struct {
	b   []byte
	bad bool
}

// done reports whether everything was there, and nothing else.
func (s *scanner) done() bool { return !s.bad && len(s.b) == 0 }

func (s *scanner) fail() { s.bad, s.b = true, nil }

// take returns the next n bytes.
func (s *scanner) take(n uint64) []byte {
	if n > uint64(len(s.b)) {
		s.fail()
		return nil
	}
	p := s.b[:n:n]
	s.b = s.b[n:]
	return p
}

func (s *scanner) byte() byte {
	if len(s.b) == 0 {
		s.fail()
		return 0xc1 // which is no type at all
	}
	t := s.b[0]
	s.b = s.b[1:]
	return t
}

// number reads n big-endian bytes.
func (s *scanner) number(n int) uint64 {
	var v uint64
	for _, x := range s.take(uint64(n)) {
		v = v<<8 | uint64(x)
	}
	return v
}

// array reads the head of an array, whose elements take a byte each at least.
func (s *scanner) array() int {
	t := s.byte()
	n := uint64(t & 0x0f)
	switch {
	case t&0xf0 == 0x90:
	case t == 0xdc:
		n = s.number(2)
	case t == 0xdd:
		n = s.number(4)
	default:
		s.fail()
		return 0
	}
	if n > uint64(len(s.b)) {
		s.fail()
		return 0
	}
	return int(n)
}

// arrayOf reads the head of an array that has to have n elements.
func (s *scanner) arrayOf(n int) {
	if s.array() != n {
		s.fail()
	}
}

func (s *scanner) uint() uint64 {
	v := s.int64()
	if v.negative {
		s.fail()
		return 0
	}
	return v.bits
}

// integer is any that msgpack can say: its bits in two's complement.
type integer struct {
	bits     uint64
	negative bool
}

func (s *scanner) int64() integer {
	t := s.byte()
	switch {
	case t < 0x80:
		return integer{bits: uint64(t)}
	case t >= 0xe0:
		return integer{bits: uint64(int8(t)), negative: true}
	case t >= 0xcc && t <= 0xcf:
		return integer{bits: s.number(1 << (t - 0xcc))}
	case t >= 0xd0 && t <= 0xd3:
		n := 1 << (t - 0xd0)
		v := s.number(n)
		shift := 64 - 8*n
		signed := int64(v<<shift) >> shift
		return integer{bits: uint64(signed), negative: signed < 0}
	}
	s.fail()
	return integer{}
}

// int reads an integer that fits an int.
func (s *scanner) int() int {
	v := s.int64()
	n := int(int64(v.bits))
	if v.negative != (int64(v.bits) < 0) || int64(n) != int64(v.bits) {
		s.fail()
		return 0
	}
	return n
}

func (s *scanner) bool() bool {
	t := s.byte()
	if t != 0xc2 && t != 0xc3 {
		s.fail()
	}
	return t == 0xc3
}

// null reads a nil if there is one.
func (s *scanner) null() bool {
	if len(s.b) > 0 && s.b[0] == 0xc0 {
		s.b = s.b[1:]
		return true
	}
	return false
}

// bin returns a part of the payload.
func (s *scanner) bin() []byte {
	t := s.byte()
	if t < 0xc4 || t > 0xc6 {
		s.fail()
		return nil
	}
	return s.take(s.number(1 << (t - 0xc4)))
}

// text reads UTF-8 of at most most bytes.
func (s *scanner) text(most int) string {
	t := s.byte()
	n := uint64(t & 0x1f)
	switch {
	case t&0xe0 == 0xa0:
	case t >= 0xd9 && t <= 0xdb:
		n = s.number(1 << (t - 0xd9))
	default:
		s.fail()
		return ""
	}
	p := s.take(n)
	if len(p) > most || !validText(p) {
		s.fail()
		return ""
	}
	return string(p)
}

// binCopy is bin that stays when the payload does not.
func (s *scanner) binCopy() []byte { return append([]byte{}, s.bin()...) }
