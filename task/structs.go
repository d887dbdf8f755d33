package task

import (
	"reflect"
	"slices"
	"strings"
)

// structPlan decodes and walks the fields of a struct.
type structPlan struct {
	typ      reflect.Type
	fields   []field
	names    map[string]int
	required int
}

func (s *structPlan) decodeMap(r *reader, v reflect.Value) error {
	h, err := r.head()
	if err != nil {
		return err
	}
	if h.kind != wireMap {
		return mismatch(h, s.typ)
	}
	if err := r.open(h, 2); err != nil {
		return err
	}
	var few [64]bool
	seen := few[:]
	if len(s.fields) > len(few) {
		seen = make([]bool, len(s.fields))
	}
	required := s.required
	for i := range h.size {
		r.next()
		kh, err := r.head()
		if err != nil {
			return err
		}
		if kh.kind != wireString {
			return decodeErrorf("%v as a field's name in %v", kh.kind, s.typ)
		}
		name := r.body(kh)
		// Fields mostly come in the order in which they are declared.
		n, ok := i, i < len(s.fields) && string(name) == s.fields[i].name
		if !ok {
			if n, ok = s.names[string(name)]; !ok {
				return s.unknown(string(name))
			}
		}
		f := &s.fields[n]
		if seen[n] {
			return within("."+f.name, decodeErrorf("given twice"))
		}
		seen[n] = true
		if !f.optional {
			required--
		}
		r.next()
		if err := f.plan.decode(r, v.FieldByIndex(f.index)); err != nil {
			return within("."+f.name, err)
		}
	}
	r.close()
	if required > 0 {
		for n, f := range s.fields {
			if !seen[n] && !f.optional {
				return within("."+f.name, decodeErrorf("missing (tag the field omitempty if it may be)"))
			}
		}
	}
	return nil
}

// unknown names the field that was probably meant.
func (s *structPlan) unknown(name string) error {
	shown := name
	if len(shown) > 64 {
		shown = shown[:64] + "…"
	}
	for _, f := range s.fields {
		if strings.EqualFold(f.name, name) {
			return decodeErrorf("unknown field %q in %v: it has %q", shown, s.typ, f.name)
		}
	}
	known := make([]string, 0, len(s.fields))
	for _, f := range s.fields {
		known = append(known, f.name)
	}
	slices.Sort(known)
	if len(known) > 12 {
		known = append(known[:12], "…")
	}
	return decodeErrorf("unknown field %q in %v, which has %s", shown, s.typ, strings.Join(known, ", "))
}

func (s *structPlan) decodeArray(r *reader, v reflect.Value) error {
	h, err := r.head()
	if err != nil {
		return err
	}
	if h.kind != wireArray {
		return mismatch(h, s.typ)
	}
	if h.size != len(s.fields) {
		return decodeErrorf("array of %d elements does not fit %v, which has %d fields", uint32(h.size), s.typ, len(s.fields))
	}
	if err := r.open(h, 1); err != nil {
		return err
	}
	for i := range s.fields {
		f := &s.fields[i]
		r.next()
		if err := f.plan.decode(r, v.FieldByIndex(f.index)); err != nil {
			return within("."+f.name, err)
		}
	}
	r.close()
	return nil
}

func (s *structPlan) walk(w *walker, v reflect.Value) error {
	return w.enter(v, 1, func() error {
		for i := range s.fields {
			f := &s.fields[i]
			if f.plan.walk == nil {
				continue
			}
			if err := f.plan.walk(w, v.FieldByIndex(f.index)); err != nil {
				return within("."+f.name, err)
			}
		}
		return nil
	})
}
