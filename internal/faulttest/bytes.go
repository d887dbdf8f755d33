package faulttest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"

	"github.com/feac4032/multiproc/ipc"
)

// Noise is so many bytes that look random, the same each time.
func Noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// Head is the head of a frame of n bytes.
func Head(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// Announce is the body of a result whose payload follows.
func Announce(id, size uint64) []byte {
	b := []byte{0x94, byte(ipc.KindResult), 0xcf}
	b = binary.BigEndian.AppendUint64(b, id)
	return binary.BigEndian.AppendUint64(append(b, 0, 0xcf), size)
}

// Bomb is a msgpack value that must not reach a decoder.
type Bomb struct {
	Name  string
	Bytes []byte
}

// Bombs are one of each kind.
func Bombs() []Bomb {
	return []Bomb{
		{"array of 4 G", []byte{0xdd, 0xff, 0xff, 0xff, 0xff}},
		{"map of 4 G", []byte{0xdf, 0xff, 0xff, 0xff, 0xff}},
		{"bin of 2 GiB", []byte{0xc6, 0x80, 0, 0, 0}},
		{"8,000 nested arrays of 65,535", bytes.Repeat([]byte{0xdc, 0xff, 0xff}, 8000)},
		{"nested a million deep", append(bytes.Repeat([]byte{0x91}, 1_000_000), 0xc0)},
		{"the same key twice", []byte{0x82, 0xa1, 'a', 1, 0xa1, 'a', 2}},
		{"a key that is an array", []byte{0x81, 0x90, 1}},
		{"byte 0xc1", []byte{0xc1}},
		{"cut short", []byte{0xa5, 'a'}},
	}
}
