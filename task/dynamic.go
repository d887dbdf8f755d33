package task

import (
	"math"
	"reflect"
	"strconv"
)

// anyFrom decodes a value of which only its bytes tell what it is. The types do
// not depend on how many bytes the sender spent on a number.
func anyFrom(r *reader) (any, error) {
	h, err := r.head()
	if err != nil {
		return nil, err
	}
	switch h.kind {
	case wireNil:
		return nil, nil
	case wireBool:
		return h.bits == 1, nil
	case wireInt:
		return int64(h.bits), nil
	case wireUint:
		return h.bits, nil
	case wireFloat32:
		return float64(math.Float32frombits(uint32(h.bits))), nil
	case wireFloat64:
		return math.Float64frombits(h.bits), nil
	case wireString:
		return string(r.body(h)), nil
	case wireBinary:
		return append(make([]byte, 0, h.size), r.body(h)...), nil
	case wireArray:
		return sliceFrom(r, h)
	case wireMap:
		return mapFrom(r, h)
	}
	if h.ext == timeExt {
		return timestamp(r.body(h))
	}
	return nil, decodeErrorf("extension of type %d does not fit any", h.ext)
}

func sliceFrom(r *reader, h head) ([]any, error) {
	if err := r.open(h, 1); err != nil {
		return nil, err
	}
	s := make([]any, h.size)
	for i := range s {
		r.next()
		v, err := anyFrom(r)
		if err != nil {
			return nil, within("["+strconv.Itoa(i)+"]", err)
		}
		s[i] = v
	}
	r.close()
	return s, nil
}

func mapFrom(r *reader, h head) (map[string]any, error) {
	if err := r.open(h, 2); err != nil {
		return nil, err
	}
	m := make(map[string]any, h.size)
	for i := range h.size {
		r.next()
		key, err := keyFrom(r)
		if err != nil {
			return nil, within("[key "+strconv.Itoa(i)+"]", err)
		}
		if _, ok := m[key]; ok {
			return nil, decodeErrorf("key [%q] is given twice", key)
		}
		r.next()
		v, err := anyFrom(r)
		if err != nil {
			return nil, within("["+strconv.Quote(key)+"]", err)
		}
		m[key] = v
	}
	r.close()
	return m, nil
}

// keyFrom decodes a map's key into a string. Integers, which a map[int]T has
// for keys, come as their decimal digits, as in JSON.
func keyFrom(r *reader) (string, error) {
	h, err := r.head()
	if err != nil {
		return "", err
	}
	switch h.kind {
	case wireString:
		return string(r.body(h)), nil
	case wireInt:
		return strconv.FormatInt(int64(h.bits), 10), nil
	case wireUint:
		return strconv.FormatUint(h.bits, 10), nil
	}
	return "", decodeErrorf("%v is not a key: strings and integers are", h.kind)
}

func decodeInterface(r *reader, v reflect.Value) error {
	got, err := anyFrom(r)
	if err != nil {
		return err
	}
	if got == nil {
		v.SetZero()
		return nil
	}
	v.Set(reflect.ValueOf(got))
	return nil
}
