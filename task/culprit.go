package task

import (
	"reflect"
	"strconv"
)

// culprit finds the part of v, which has failed to encode, whose own method it
// was: each part is tried again by itself. That costs nothing where nothing fails.
// The path ends at the last part that fails once more.
func (s *scribe) culprit(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return ""
		}
		return s.culprit(v.Elem())
	}
	if own, err := methodsOf(v.Type()); err != nil || own.kind != methodsNone {
		return ""
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if part := v.Index(i); s.fails(part) {
				return "[" + strconv.Itoa(i) + "]" + s.culprit(part)
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if s.fails(it.Value()) {
				return keyStep(it.Key()) + s.culprit(it.Value())
			}
		}
	case reflect.Struct:
		fields, _, err := structFields(v.Type())
		if err != nil {
			return ""
		}
		for _, f := range fields {
			part := v.FieldByIndex(f.index)
			if f.optional && part.IsZero() {
				continue // it was left out
			}
			if s.fails(part) {
				return "." + f.name + s.culprit(part)
			}
		}
	}
	return ""
}

func (s *scribe) fails(v reflect.Value) bool {
	s.buf = s.buf[:0]
	return s.encode(v) != nil
}
