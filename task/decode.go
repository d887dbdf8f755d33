package task

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// Decode decodes one msgpack value into what v points to, strictly: see the
// package documentation for what is refused. What v pointed to before is
// forgotten; after an error it is the zero value. data is not kept. Errors are
// [*ValueError], unless v is not a pointer.
func Decode(data []byte, v any) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("decode into %T: a pointer that is not nil is needed", v)
	}
	p, err := planOf(rv.Type().Elem())
	if err != nil {
		return typeFault("decode", "value", err)
	}
	return decodeValue(data, rv.Elem(), p, "value")
}

func decodeValue(data []byte, v reflect.Value, p *plan, root string) error {
	v.SetZero()
	r := reader{data: data}
	err := r.finish(root, p.decode(&r, v))
	if err != nil {
		v.SetZero()
	}
	return err
}

// mismatch reports a value of the wrong kind.
func mismatch(h head, t reflect.Type) error {
	switch h.kind {
	case wireNil:
		return decodeErrorf("nil does not fit %v", t)
	case wireInt:
		return decodeErrorf("integer %d does not fit %v", int64(h.bits), t)
	default:
		return decodeErrorf("%v does not fit %v", h.kind, t)
	}
}

// nil consumes a nil, if one is next.
func (r *reader) nil() bool {
	if r.off < len(r.data) && r.data[r.off] == 0xc0 {
		r.off++
		return true
	}
	return false
}

func stringFrom(r *reader) (string, error) {
	h, err := r.head()
	if err != nil {
		return "", err
	}
	if h.kind != wireString {
		return "", mismatch(h, reflect.TypeFor[string]())
	}
	return string(r.body(h)), nil
}

func bytesFrom(r *reader) ([]byte, error) {
	b, err := bytesIn(r)
	if b == nil {
		return nil, err
	}
	return append(make([]byte, 0, len(b)), b...), nil
}

// bytesIn is bytesFrom without a copy.
func bytesIn(r *reader) ([]byte, error) {
	h, err := r.head()
	if err != nil || h.kind == wireNil {
		return nil, err
	}
	if h.kind != wireBinary {
		return nil, mismatch(h, reflect.TypeFor[[]byte]())
	}
	b := r.body(h)
	return b[:len(b):len(b)], nil
}

func boolFrom(r *reader) (bool, error) {
	h, err := r.head()
	if err != nil {
		return false, err
	}
	if h.kind != wireBool {
		return false, mismatch(h, reflect.TypeFor[bool]())
	}
	return h.bits == 1, nil
}

func int64From(r *reader) (int64, error) { return intFrom(r, reflect.TypeFor[int64]()) }

// intFrom decodes a signed integer; t only names it in errors.
func intFrom(r *reader, t reflect.Type) (int64, error) {
	h, err := r.head()
	if err != nil {
		return 0, err
	}
	switch h.kind {
	case wireInt:
		return int64(h.bits), nil
	case wireUint:
		return 0, decodeErrorf("%d does not fit %v", h.bits, t)
	}
	return 0, mismatch(h, t)
}

func uint64From(r *reader) (uint64, error) { return uintFrom(r, reflect.TypeFor[uint64]()) }

func uintFrom(r *reader, t reflect.Type) (uint64, error) {
	h, err := r.head()
	if err != nil {
		return 0, err
	}
	switch h.kind {
	case wireInt:
		if n := int64(h.bits); n < 0 {
			return 0, decodeErrorf("%d does not fit %v", n, t)
		}
		return h.bits, nil
	case wireUint:
		return h.bits, nil
	}
	return 0, mismatch(h, t)
}

func float64From(r *reader) (float64, error) { return floatFrom(r, 64, reflect.TypeFor[float64]()) }

// floatFrom decodes a float of the given size, or an integer that it holds
// exactly: a job file writes 3 where the task wants 3.0.
func floatFrom(r *reader, size int, t reflect.Type) (float64, error) {
	h, err := r.head()
	if err != nil {
		return 0, err
	}
	switch h.kind {
	case wireFloat32:
		return float64(math.Float32frombits(uint32(h.bits))), nil
	case wireFloat64:
		f := math.Float64frombits(h.bits)
		if size == 32 && math.Abs(f) <= math.MaxFloat64 && math.IsInf(float64(float32(f)), 0) {
			return 0, decodeErrorf("%v does not fit %v", f, t)
		}
		return f, nil
	case wireInt, wireUint:
		if f, ok := exactFloat(h, size); ok {
			return f, nil
		}
		if h.kind == wireUint {
			return 0, decodeErrorf("integer %d does not fit %v exactly", h.bits, t)
		}
		return 0, decodeErrorf("integer %d does not fit %v exactly", int64(h.bits), t)
	}
	return 0, mismatch(h, t)
}

// exactFloat converts an integer whose significant bits all fit.
func exactFloat(h head, size int) (float64, bool) {
	f, magnitude := float64(h.bits), h.bits
	if n := int64(h.bits); h.kind == wireInt {
		f = float64(n)
		if n < 0 {
			magnitude = -h.bits
		}
	}
	mantissa := uint64(1) << 53
	if size == 32 {
		mantissa = 1 << 24
	}
	for magnitude > mantissa {
		if magnitude&1 != 0 {
			return 0, false
		}
		magnitude >>= 1
	}
	return f, true
}

func timeFrom(r *reader) (time.Time, error) {
	h, err := r.head()
	if err != nil {
		return time.Time{}, err
	}
	switch {
	case h.kind == wireExt && h.ext == timeExt:
		return timestamp(r.body(h))
	case h.kind == wireString:
		t, err := time.Parse(time.RFC3339Nano, string(r.body(h)))
		if err != nil {
			return time.Time{}, decodeErrorf("string is not a time as in RFC 3339")
		}
		return t.UTC(), nil
	}
	return time.Time{}, mismatch(h, timeType)
}

// emptyFrom decodes struct{}: an empty map, or nil, since there is nothing that
// it could leave out.
func emptyFrom(r *reader) (struct{}, error) {
	h, err := r.head()
	if err != nil {
		return struct{}{}, err
	}
	if h.kind == wireNil || h.kind == wireMap && h.size == 0 {
		return struct{}{}, nil
	}
	if h.kind == wireMap {
		return struct{}{}, decodeErrorf("map of %d elements does not fit struct {}", uint32(h.size))
	}
	return struct{}{}, mismatch(h, emptyType)
}

func decodeEmpty(r *reader, _ reflect.Value) error {
	_, err := emptyFrom(r)
	return err
}

func decodeBool(r *reader, v reflect.Value) error {
	h, err := r.head()
	if err != nil {
		return err
	}
	if h.kind != wireBool {
		return mismatch(h, v.Type())
	}
	v.SetBool(h.bits == 1)
	return nil
}

func decodeInt(r *reader, v reflect.Value) error {
	n, err := intFrom(r, v.Type())
	if err != nil {
		return err
	}
	if v.OverflowInt(n) {
		return decodeErrorf("%d does not fit %v", n, v.Type())
	}
	v.SetInt(n)
	return nil
}

func decodeUint(r *reader, v reflect.Value) error {
	n, err := uintFrom(r, v.Type())
	if err != nil {
		return err
	}
	if v.OverflowUint(n) {
		return decodeErrorf("%d does not fit %v", n, v.Type())
	}
	v.SetUint(n)
	return nil
}

func decodeFloat(r *reader, v reflect.Value) error {
	f, err := floatFrom(r, v.Type().Bits(), v.Type())
	if err != nil {
		return err
	}
	v.SetFloat(f)
	return nil
}

func decodeString(r *reader, v reflect.Value) error {
	h, err := r.head()
	if err != nil {
		return err
	}
	if h.kind != wireString {
		return mismatch(h, v.Type())
	}
	v.SetString(string(r.body(h)))
	return nil
}

func decodeBytes(r *reader, v reflect.Value) error {
	h, err := r.head()
	if err != nil || h.kind == wireNil {
		return err
	}
	if h.kind != wireBinary {
		return mismatch(h, v.Type())
	}
	v.SetBytes(append(make([]byte, 0, h.size), r.body(h)...))
	return nil
}

func decodeByteArray(r *reader, v reflect.Value) error {
	h, err := r.head()
	if err != nil {
		return err
	}
	if h.kind != wireBinary {
		return mismatch(h, v.Type())
	}
	if h.size != v.Len() {
		return decodeErrorf("binary of %d bytes does not fit %v", h.size, v.Type())
	}
	reflect.Copy(v, reflect.ValueOf(r.body(h)))
	return nil
}

func decodeTime(r *reader, v reflect.Value) error {
	t, err := timeFrom(r)
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

func decodeElements(r *reader, v reflect.Value, elem *plan) error {
	for i := range v.Len() {
		r.next()
		if err := elem.decode(r, v.Index(i)); err != nil {
			return within("["+strconv.Itoa(i)+"]", err)
		}
	}
	r.close()
	return nil
}

func keyStep(key reflect.Value) string {
	if key.Kind() == reflect.String {
		return "[" + strconv.Quote(key.String()) + "]"
	}
	return fmt.Sprintf("[%v]", key)
}

func decodeMap(t reflect.Type, key, elem *plan) func(*reader, reflect.Value) error {
	return func(r *reader, v reflect.Value) error {
		h, err := r.head()
		if err != nil {
			return err
		}
		if h.kind == wireNil {
			v.SetZero()
			return nil
		}
		if h.kind != wireMap {
			return mismatch(h, t)
		}
		if err := r.open(h, key.least+elem.least); err != nil {
			return err
		}
		m := reflect.MakeMapWithSize(t, h.size)
		k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		for i := range h.size {
			r.next()
			if err := key.decode(r, k); err != nil {
				return within("[key "+strconv.Itoa(i)+"]", err)
			}
			r.next()
			e.SetZero()
			if err := elem.decode(r, e); err != nil {
				return within(keyStep(k), err)
			}
			// A key that is there already does not make the map longer.
			if m.SetMapIndex(k, e); m.Len() != i+1 {
				return decodeErrorf("key %s is given twice", keyStep(k))
			}
		}
		r.close()
		v.Set(m)
		return nil
	}
}
