package task

import (
	"encoding/binary"
	"math"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/feac4032/multiproc/ipc"
)

// Encode appends v as one msgpack value to dst. It refuses what could not be
// decoded again: types that cannot travel, also inside an any, and values that
// nest deeper than 100, which a cycle does. On error dst is returned as it was;
// errors are [*ValueError].
func Encode(dst []byte, v any) ([]byte, error) {
	if out, ok := appendScalar(dst, v); ok {
		return out, nil
	}
	rv := reflect.ValueOf(v)
	p, err := planOf(rv.Type())
	if err != nil {
		return dst, typeFault("encode", "value", err)
	}
	if p.byPointer {
		held := reflect.New(rv.Type()).Elem()
		held.Set(rv)
		rv = held
	}
	return encodeValue(dst, rv, p, "value")
}

// appendScalar is the way without reflection for what is most often sent.
func appendScalar(dst []byte, v any) ([]byte, bool) {
	switch v := v.(type) {
	case nil:
		return append(dst, 0xc0), true
	case string:
		return appendString(dst, v), true
	case []byte:
		return appendBytes(dst, v), true
	case int:
		return appendInt(dst, int64(v)), true
	case int64:
		return appendInt(dst, v), true
	case uint64:
		return appendUint(dst, v), true
	case bool:
		return appendBool(dst, v), true
	case float64:
		return appendFloat(dst, v), true
	case struct{}:
		return append(dst, 0x80), true
	}
	return dst, false
}

func encodeValue(dst []byte, v reflect.Value, p *plan, root string) ([]byte, error) {
	if p.dynamic {
		if err := walkValue(p, v); err != nil {
			return dst, within(root, err)
		}
	}
	s := scribes.Get().(*scribe)
	s.buf = dst
	err := s.encode(v)
	out := s.buf
	s.buf = nil
	if err != nil {
		err = &ValueError{Op: "encode", Path: root + s.culprit(v), Reason: err.Error(), Err: err}
		out, s.buf = dst, nil
	}
	scribes.Put(s)
	return out, err
}

// scribe is a msgpack encoder that appends to a slice.
type scribe struct {
	enc *msgpack.Encoder
	buf []byte
}

var scribes = sync.Pool{New: func() any { return &scribe{enc: msgpack.NewEncoder(nil)} }}

func (s *scribe) encode(v reflect.Value) error {
	s.enc.Reset(s) // also what a type's own method has switched on
	s.enc.UseCompactInts(true)
	s.enc.SetSortMapKeys(true) // equal values have equal bytes
	return s.enc.EncodeValue(v)
}

func (s *scribe) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	return len(p), nil
}

func (s *scribe) WriteByte(c byte) error {
	s.buf = append(s.buf, c)
	return nil
}

func appendString(dst []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		dst = append(dst, 0xa0|byte(n))
	case n < 1<<8:
		dst = append(dst, 0xd9, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
	}
	return append(dst, s...)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0xc0)
	}
	return ipc.Append(appendBytesHead(dst, len(b)), b)
}

func appendBytesHead(dst []byte, n int) []byte {
	switch {
	case n < 1<<8:
		return append(dst, 0xc4, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 0xc5), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xc6), uint32(n))
}

// lendBytes appends the head of b, and b itself if it travels inline.
func lendBytes(dst, b []byte) (out, tail []byte) {
	if len(b) <= ipc.MaxInline {
		return appendBytes(dst, b), nil
	}
	return appendBytesHead(dst, len(b)), b
}

func appendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(dst, uint64(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

func appendUint(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<7:
		return append(dst, byte(n))
	case n < 1<<8:
		return append(dst, 0xcc, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 0xc3)
	}
	return append(dst, 0xc2)
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(f))
}

// walker goes through a value whose shape its type does not tell, before any of
// it is encoded: a cycle must not cost the process its stack.
type walker struct {
	depth int // as on the wire
	steps int // with pointers and interfaces, which take no depth on the wire
	// open holds what is being walked. Only the second look at a value that is
	// too deep has it, to tell a cycle from mere depth.
	open map[visit]bool
}

type visit struct {
	typ reflect.Type
	ptr uintptr
	len int
}

// maxSteps bounds chains of pointers and interfaces, which can be cycles too.
const maxSteps = 4 * maxDepth

func walkValue(p *plan, v reflect.Value) error {
	err := p.walk(&walker{}, v)
	if e, ok := err.(*ValueError); ok && e.Reason == tooDeep {
		if again := p.walk(&walker{open: make(map[visit]bool)}, v); again != nil {
			return again
		}
	}
	return err
}

var tooDeep = "nested deeper than " + strconv.Itoa(maxDepth)

// enter walks what a pointer, slice, map, array or struct holds; levels is what
// it adds to the depth on the wire.
func (w *walker) enter(v reflect.Value, levels int, inner func() error) error {
	if w.open != nil {
		switch v.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice:
			at := visit{typ: v.Type(), ptr: v.Pointer()}
			if v.Kind() == reflect.Slice {
				at.len = v.Len()
			}
			if w.open[at] {
				return encodeErrorf("a cycle: this %v contains itself", v.Type())
			}
			w.open[at] = true
			defer delete(w.open, at)
		}
	}
	w.depth += levels
	w.steps++
	if w.depth > maxDepth || w.steps > maxSteps {
		return encodeErrorf("%s", tooDeep)
	}
	err := inner()
	w.depth -= levels
	w.steps--
	return err
}

func walkElements(elem *plan) func(*walker, reflect.Value) error {
	return func(w *walker, v reflect.Value) error {
		if elem.walk == nil || v.Len() == 0 {
			return nil
		}
		return w.enter(v, 1, func() error {
			for i := range v.Len() {
				if err := elem.walk(w, v.Index(i)); err != nil {
					return within("["+strconv.Itoa(i)+"]", err)
				}
			}
			return nil
		})
	}
}

// walkInterface checks what an any holds, which no type has vouched for.
func walkInterface(w *walker, v reflect.Value) error {
	if v.IsNil() {
		return nil
	}
	v = v.Elem()
	switch v.Interface().(type) {
	case string, []byte, bool, int, int64, uint64, float64, time.Time:
		return nil
	}
	p, err := planOf(v.Type())
	if err != nil {
		return typeFault("encode", "", err)
	}
	if p.byPointer {
		return encodeErrorf("%v is encoded by a method of its pointer: put a pointer here", v.Type())
	}
	if p.walk == nil {
		return nil
	}
	return w.enter(v, 0, func() error { return p.walk(w, v) })
}
