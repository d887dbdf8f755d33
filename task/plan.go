package task

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// plan is what is known of a Go type before any value of it is seen.
type plan struct {
	typ reflect.Type
	// least is the fewest bytes a value takes on the wire. It bounds what an
	// array's size may make us allocate.
	least int
	// dynamic types hold an interface or themselves, so that depth and content
	// are known only from the value: it is walked before it is encoded.
	dynamic bool
	// byPointer types are encoded by a method of their pointer, or hold such a
	// type in place, and therefore need an addressable value.
	byPointer bool
	decode    func(*reader, reflect.Value) error
	walk      func(*walker, reflect.Value) error // nil unless dynamic
}

// typeError says why a type cannot travel.
type typeError struct {
	path   string
	reason string
}

func (e *typeError) Error() string {
	if e.path == "" {
		return e.reason
	}
	return shortPath(e.path) + ": " + e.reason
}

func withinType(step string, err error) error {
	var e *typeError
	if errors.As(err, &e) {
		return &typeError{path: step + e.path, reason: e.reason}
	}
	return err
}

// typeFault turns a typeError into the error of a value of that type.
func typeFault(op, root string, err error) error {
	var e *typeError
	if errors.As(err, &e) {
		return &ValueError{Op: op, Path: root + e.path, Reason: e.reason}
	}
	return err
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	anyType   = reflect.TypeFor[any]()
	byteType  = reflect.TypeFor[byte]()
	emptyType = reflect.TypeFor[struct{}]()
)

// plans caches *plan or *typeError by reflect.Type.
var plans sync.Map

// planOf compiles a type once.
func planOf(t reflect.Type) (*plan, error) {
	if v, ok := plans.Load(t); ok {
		if p, ok := v.(*plan); ok {
			return p, nil
		}
		return nil, v.(*typeError)
	}
	c := compiler{}
	p, err := c.plan(t)
	if err != nil {
		var te *typeError
		if !errors.As(err, &te) {
			te = &typeError{reason: err.Error()}
		}
		plans.Store(t, te)
		return nil, te
	}
	// The plans of the parts are not published: only once the outermost one is
	// complete is it known which of them are part of a cycle.
	plans.Store(t, p)
	return p, nil
}

// compiler holds the plans of one compilation; a type that is met again while
// it is still being compiled contains itself.
type compiler map[reflect.Type]*plan

func (c compiler) plan(t reflect.Type) (*plan, error) {
	if p, ok := c[t]; ok {
		if p.decode == nil {
			p.dynamic = true
		}
		return p, nil
	}
	p := &plan{typ: t, least: 1}
	c[t] = p
	if err := c.fill(p, t); err != nil {
		return nil, err
	}
	return p, nil
}

func (c compiler) fill(p *plan, t reflect.Type) error {
	if t == timeType {
		p.decode = decodeTime
		return nil
	}
	own, err := methodsOf(t)
	if err != nil {
		return err
	}
	if own.kind != methodsNone {
		p.byPointer = own.byPointer
		p.decode = own.decoder(t)
		return nil
	}
	switch t.Kind() {
	case reflect.Bool:
		p.decode = decodeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.decode = decodeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.decode = decodeUint
	case reflect.Float32, reflect.Float64:
		p.decode = decodeFloat
	case reflect.String:
		p.decode = decodeString
	case reflect.Interface:
		if t.NumMethod() != 0 {
			return unsupported(t, "an interface with methods cannot travel")
		}
		p.dynamic = true
		p.decode = decodeInterface
		p.walk = walkInterface
	case reflect.Pointer:
		return c.pointer(p, t)
	case reflect.Slice:
		return c.slice(p, t)
	case reflect.Array:
		return c.array(p, t)
	case reflect.Map:
		return c.mapping(p, t)
	case reflect.Struct:
		return c.structure(p, t)
	default:
		return unsupported(t, "it has no form outside its process")
	}
	return nil
}

func unsupported(t reflect.Type, why string) error {
	return &typeError{reason: fmt.Sprintf("type %v cannot travel: %s", t, why)}
}

func (c compiler) pointer(p *plan, t reflect.Type) error {
	if t.Elem().Kind() == reflect.Pointer {
		return unsupported(t, "a pointer to a pointer loses which of them was nil")
	}
	elem, err := c.plan(t.Elem())
	if err != nil {
		return err
	}
	p.dynamic = elem.dynamic
	p.decode = func(r *reader, v reflect.Value) error {
		if r.nil() {
			v.SetZero()
			return nil
		}
		n := reflect.New(t.Elem())
		if err := elem.decode(r, n.Elem()); err != nil {
			return err
		}
		v.Set(n)
		return nil
	}
	p.walk = func(w *walker, v reflect.Value) error {
		if v.IsNil() || elem.walk == nil {
			return nil
		}
		return w.enter(v, 0, func() error { return elem.walk(w, v.Elem()) })
	}
	return nil
}

func (c compiler) slice(p *plan, t reflect.Type) error {
	if t.Elem().Kind() == reflect.Uint8 {
		p.decode = decodeBytes
		return nil
	}
	elem, err := c.plan(t.Elem())
	if err != nil {
		return withinType("[]", err)
	}
	p.dynamic = elem.dynamic
	p.decode = func(r *reader, v reflect.Value) error {
		h, err := r.head()
		if err != nil {
			return err
		}
		if h.kind == wireNil {
			v.SetZero()
			return nil
		}
		if h.kind != wireArray {
			return mismatch(h, t)
		}
		if err := r.open(h, elem.least); err != nil {
			return err
		}
		s := reflect.MakeSlice(t, h.size, h.size)
		if err := decodeElements(r, s, elem); err != nil {
			return err
		}
		v.Set(s)
		return nil
	}
	p.walk = walkElements(elem)
	return nil
}

func (c compiler) array(p *plan, t reflect.Type) error {
	if t.Elem().Kind() == reflect.Uint8 {
		if t.Elem() != byteType {
			return unsupported(t, "an array of bytes under another name is not supported by msgpack: use [n]byte or a slice")
		}
		p.least = 2 + t.Len()
		p.decode = decodeByteArray
		return nil
	}
	elem, err := c.plan(t.Elem())
	if err != nil {
		return withinType("[]", err)
	}
	p.least = saturate(1 + t.Len()*elem.least)
	p.dynamic = elem.dynamic
	p.byPointer = elem.byPointer
	p.decode = func(r *reader, v reflect.Value) error {
		h, err := r.head()
		if err != nil {
			return err
		}
		if h.kind != wireArray {
			return mismatch(h, t)
		}
		if h.size != t.Len() {
			return decodeErrorf("array of %d elements does not fit %v", uint32(h.size), t)
		}
		if err := r.open(h, elem.least); err != nil {
			return err
		}
		return decodeElements(r, v, elem)
	}
	p.walk = walkElements(elem)
	return nil
}

// saturate keeps sums of least sizes from overflowing; beyond it every size
// check fails anyway.
func saturate(n int) int {
	const most = 1 << 30
	if n < 0 || n > most {
		return most
	}
	return n
}

func (c compiler) mapping(p *plan, t reflect.Type) error {
	switch t.Key().Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	default:
		return unsupported(t, "a map's keys must be strings or integers")
	}
	if own, err := methodsOf(t.Key()); err != nil || own.kind != methodsNone {
		return unsupported(t, fmt.Sprintf("the key type %v encodes itself", t.Key()))
	}
	key, err := c.plan(t.Key())
	if err != nil {
		return err
	}
	elem, err := c.plan(t.Elem())
	if err != nil {
		return withinType("[]", err)
	}
	if elem.byPointer {
		return unsupported(t, fmt.Sprintf("%v is encoded by a method of its pointer, which a map's value does not have: use a map of pointers", t.Elem()))
	}
	p.dynamic = elem.dynamic
	p.decode = decodeMap(t, key, elem)
	p.walk = func(w *walker, v reflect.Value) error {
		if elem.walk == nil || v.Len() == 0 {
			return nil
		}
		return w.enter(v, 1, func() error {
			for it := v.MapRange(); it.Next(); {
				if err := elem.walk(w, it.Value()); err != nil {
					return within(keyStep(it.Key()), err)
				}
			}
			return nil
		})
	}
	return nil
}

func (c compiler) structure(p *plan, t reflect.Type) error {
	fields, asArray, err := structFields(t)
	if err != nil {
		return err
	}
	if len(fields) == 0 && t.NumField() > 0 {
		return unsupported(t, "it has no exported fields")
	}
	s := &structPlan{typ: t, fields: fields, names: make(map[string]int, len(fields))}
	for i := range fields {
		f := &fields[i]
		f.plan, err = c.plan(f.typ)
		if err != nil {
			return withinType("."+t.FieldByIndex(f.index).Name, err)
		}
		p.dynamic = p.dynamic || f.plan.dynamic
		p.byPointer = p.byPointer || f.plan.byPointer
		if asArray {
			p.least = saturate(p.least + f.plan.least)
		} else if !f.optional {
			p.least = saturate(p.least + 1 + len(f.name) + f.plan.least)
			s.required++
		}
		s.names[f.name] = i
		for _, alias := range f.aliases {
			s.names[alias] = i
			// The shorter name may be the one that is sent.
			if !asArray && !f.optional && len(alias) < len(f.name) {
				p.least -= len(f.name) - len(alias)
			}
		}
	}
	p.decode = s.decodeMap
	if asArray {
		p.decode = s.decodeArray
	}
	if t == emptyType {
		p.decode = decodeEmpty
	}
	p.walk = s.walk
	return nil
}
