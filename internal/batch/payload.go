package batch

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/feac4032/multiproc/config"
)

// appendMsgpack appends a value of the job file as msgpack, maps in the order
// written.
func appendMsgpack(b []byte, v config.Value) []byte {
	switch v.Type() {
	case config.Bool:
		if v.Any().(bool) {
			return append(b, 0xc3)
		}
		return append(b, 0xc2)
	case config.Int:
		return appendInt(b, v.Any().(int64))
	case config.Uint:
		return binary.BigEndian.AppendUint64(append(b, 0xcf), v.Any().(uint64))
	case config.Float:
		return binary.BigEndian.AppendUint64(append(b, 0xcb), math.Float64bits(v.Any().(float64)))
	case config.Text:
		return appendString(b, v.Text())
	case config.List:
		items := v.Items()
		b = appendHead(b, len(items), 0x90, 0xdc)
		for _, e := range items {
			b = appendMsgpack(b, e)
		}
		return b
	case config.Map:
		fields := v.Fields()
		b = appendHead(b, len(fields), 0x80, 0xde)
		for _, f := range fields {
			b = appendMsgpack(appendString(b, f.Name), f.Value)
		}
		return b
	}
	return append(b, 0xc0)
}

func appendInt(b []byte, i int64) []byte {
	switch {
	case i >= 0 && i < 128 || i < 0 && i >= -32:
		return append(b, byte(i))
	case i >= math.MinInt32 && i <= math.MaxInt32:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(i))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(i))
}

func appendString(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n < 1<<8:
		b = append(b, 0xd9, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

// appendHead appends the head of an array or a map: small is its one-byte form,
// wide that with 16 bits, to which the one with 32 follows.
func appendHead(b []byte, n int, small, wide byte) []byte {
	switch {
	case n < 16:
		return append(b, small|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, wide), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, wide+1), uint32(n))
}

// stringOf gives the bytes of a msgpack string, false for other values.
func stringOf(v []byte) ([]byte, bool) {
	if len(v) == 0 {
		return nil, false
	}
	head := 1
	switch c := v[0]; {
	case c >= 0xa0 && c <= 0xbf:
	case c == 0xd9:
		head = 2
	case c == 0xda:
		head = 3
	case c == 0xdb:
		head = 5
	default:
		return nil, false
	}
	if len(v) < head {
		return nil, false
	}
	return v[head:], true
}

// isNil reports that a task has no result to show.
func isNil(v []byte) bool { return len(v) == 0 || len(v) == 1 && v[0] == 0xc0 }

// errTooLarge says that an argument cannot travel.
func errTooLarge(n, limit int) error {
	return fmt.Errorf("argument is %d bytes long, at most %d travel", n, limit)
}
