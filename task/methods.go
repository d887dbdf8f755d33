package task

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"

	"github.com/feac4032/multiproc/ipc"
	"github.com/vmihailenco/msgpack/v5"
)

// methods says how a type encodes itself, if it does.
type methods struct {
	kind      methodsKind
	byPointer bool // the encoding method has a pointer receiver
}

type methodsKind uint8

const (
	methodsNone methodsKind = iota
	methodsCustom
	methodsMsgpack
	methodsBinary
	methodsText
)

// methodPairs are in the order in which msgpack looks for them.
var methodPairs = [...]struct {
	kind       methodsKind
	enc, dec   reflect.Type
	encN, decN string
}{
	{methodsCustom, reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.CustomDecoder](), "EncodeMsgpack", "DecodeMsgpack"},
	{methodsMsgpack, reflect.TypeFor[msgpack.Marshaler](), reflect.TypeFor[msgpack.Unmarshaler](), "MarshalMsgpack", "UnmarshalMsgpack"},
	{methodsBinary, reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](), "MarshalBinary", "UnmarshalBinary"},
	{methodsText, reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](), "MarshalText", "UnmarshalText"},
}

// methodsOf finds a type's own encoding. A pointer type has none: what it
// points to has. A type with only one half of a pair would be written in one
// form and read in another, so it is refused.
func methodsOf(t reflect.Type) (methods, error) {
	if t == timeType || t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return methods{}, nil
	}
	var m methods
	var enc, dec string
	pt := reflect.PointerTo(t)
	for _, p := range methodPairs {
		if enc == "" && t.Implements(p.enc) {
			enc, m.kind = p.encN, p.kind
		}
	}
	for _, p := range methodPairs {
		if enc == "" && pt.Implements(p.enc) {
			enc, m.kind, m.byPointer = p.encN, p.kind, true
		}
	}
	decKind := methodsNone
	for _, p := range methodPairs {
		if dec == "" && t.Implements(p.dec) {
			dec, decKind = p.decN, p.kind
		}
	}
	for _, p := range methodPairs {
		if dec == "" && pt.Implements(p.dec) {
			dec, decKind = p.decN, p.kind
		}
	}
	switch {
	case m.kind == decKind:
		return m, nil
	case dec == "":
		return m, unsupported(t, fmt.Sprintf("it has %s but no counterpart that decodes", enc))
	case enc == "":
		return m, unsupported(t, fmt.Sprintf("it has %s but no counterpart that encodes", dec))
	default:
		return m, unsupported(t, fmt.Sprintf("it is encoded by %s but decoded by %s", enc, dec))
	}
}

// decoder returns the decoder of a type that encodes itself. Its method sees
// only a whole value that has passed the reader's checks.
func (m methods) decoder(t reflect.Type) func(*reader, reflect.Value) error {
	return func(r *reader, v reflect.Value) error {
		raw, err := r.skip()
		if err != nil {
			return err
		}
		// The method may read its value into a map, which would hide keys that
		// are given twice.
		if err := ipc.ValidatePayload(raw); err != nil {
			return &ValueError{Op: "decode", Reason: err.Error(), Err: err}
		}
		isNil := len(raw) == 1 && raw[0] == 0xc0
		if isNil && nilable(t.Kind()) {
			return nil
		}
		target := v.Addr().Interface()
		switch m.kind {
		case methodsCustom:
			if isNil {
				return nil // msgpack's own rule: nil is the zero value of such a type
			}
			in := bytes.NewReader(raw)
			err = target.(msgpack.CustomDecoder).DecodeMsgpack(msgpack.NewDecoder(in))
			if err == nil && in.Len() > 0 {
				err = errors.New("DecodeMsgpack left a part of the value unread")
			}
		case methodsMsgpack:
			if isNil {
				return nil
			}
			err = target.(msgpack.Unmarshaler).UnmarshalMsgpack(bytes.Clone(raw))
		default:
			err = m.decodeBody(raw, target, t)
		}
		if _, ok := err.(*ValueError); err != nil && !ok {
			return &ValueError{Op: "decode", Reason: fmt.Sprintf("%v: %v", t, err), Err: err}
		}
		return err
	}
}

// decodeBody hands the bytes of a binary or string to UnmarshalBinary or
// UnmarshalText. msgpack writes both as binary; people write strings.
func (m methods) decodeBody(raw []byte, target any, t reflect.Type) error {
	r := reader{data: raw}
	h, err := r.head()
	if err != nil {
		return err
	}
	var body []byte
	switch h.kind {
	case wireBinary, wireString:
		body = r.body(h)
	case wireNil: // what a method that returned nil bytes is encoded as
	default:
		return mismatch(h, t)
	}
	type binary interface{ UnmarshalBinary([]byte) error }
	type text interface{ UnmarshalText([]byte) error }
	if m.kind == methodsBinary {
		return target.(binary).UnmarshalBinary(body)
	}
	return target.(text).UnmarshalText(body)
}

func nilable(k reflect.Kind) bool {
	return k == reflect.Map || k == reflect.Slice || k == reflect.Pointer || k == reflect.Interface
}
