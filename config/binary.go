package config

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// The binary form of a value is its type in one byte, and then: of a scalar, its
// text; of a list, the number of its entries and each of them; of a map, the
// number of its fields, and of each its name and its value. Texts and names are
// preceded by their length in bytes; lengths and numbers are unsigned varints. A
// scalar's value follows from its text.

// maxBinaryDepth bounds the nesting of a value that is decoded: that of the
// file's arguments with items in them, and room to spare.
const maxBinaryDepth = 4 * maxDepth

var errBinaryEnd = errors.New("unexpected end of a value")

// AppendBinary appends a form of the value from which [DecodeValue] makes an
// equal one, which has the same text and the same bytes, UTF-8 or not. It is for
// files that this program reads again, and no format to exchange.
func (v Value) AppendBinary(b []byte) []byte {
	b = append(b, byte(v.typ))
	switch v.typ {
	case List:
		b = binary.AppendUvarint(b, uint64(len(v.inner.list)))
		for _, e := range v.inner.list {
			b = e.AppendBinary(b)
		}
	case Map:
		b = binary.AppendUvarint(b, uint64(len(v.inner.fields)))
		for _, f := range v.inner.fields {
			b = appendBinaryText(b, f.Name)
			b = f.Value.AppendBinary(b)
		}
	default:
		b = appendBinaryText(b, v.text)
	}
	return b
}

func appendBinaryText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// DecodeValue reads one value that AppendBinary wrote, and gives what follows it
// in b. The value shares no storage with b. Bytes that AppendBinary does not
// write are an error that names their offset: a text that is no value of its
// type, a repeated field, nesting deeper than 400, an end before the value's. It
// allocates in proportion to b, whatever lengths stand in it.
func DecodeValue(b []byte) (Value, []byte, error) {
	d := binaryDecoder{src: b}
	v, err := d.value(1)
	if err != nil {
		return Value{}, b, fmt.Errorf("%w at byte %d", err, d.at)
	}
	return v, b[d.at:], nil
}

type binaryDecoder struct {
	src []byte
	at  int
}

func (d *binaryDecoder) value(depth int) (Value, error) {
	if d.at >= len(d.src) {
		return Value{}, errBinaryEnd
	}
	typ := Type(d.src[d.at])
	if typ > Map {
		return Value{}, fmt.Errorf("unknown type %d of a value", typ)
	}
	d.at++
	if typ == List || typ == Map {
		if depth > maxBinaryDepth {
			return Value{}, fmt.Errorf("a value nested deeper than %d levels", maxBinaryDepth)
		}
		if typ == List {
			return d.list(depth)
		}
		return d.fields(depth)
	}
	from := d.at
	text, err := d.text()
	if err != nil {
		return Value{}, err
	}
	v, ok := scalarOf(typ, text)
	if !ok {
		d.at = from
		return Value{}, fmt.Errorf("%.40q is no value of type %d", text, typ)
	}
	return v, nil
}

// scalarOf gives the scalar of a type that is written so.
func scalarOf(typ Type, text string) (Value, bool) {
	switch typ {
	case Text:
		return String(text), true
	case Float:
		// A computed one may be written like an integer.
		if form := numberForm(unsigned(text)); form != plainInt && form != plainFloat {
			return Value{}, false
		}
		f, err := strconv.ParseFloat(text, 64)
		return Value{typ: Float, text: text, bits: math.Float64bits(f)}, err == nil
	}
	v, reason := resolve(text)
	return v, v.typ == typ && reason == ""
}

func unsigned(s string) string {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[1:]
	}
	return s
}

func (d *binaryDecoder) list(depth int) (Value, error) {
	n, err := d.length()
	if err != nil {
		return Value{}, err
	}
	var items []Value
	for range n {
		v, err := d.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		items = append(items, v)
	}
	return ListValue(items), nil
}

func (d *binaryDecoder) fields(depth int) (Value, error) {
	n, err := d.length()
	if err != nil {
		return Value{}, err
	}
	var fields []Field
	var seen fieldNames
	for range n {
		from := d.at
		name, err := d.text()
		if err != nil {
			return Value{}, err
		}
		if seen.repeated(fields, name) {
			d.at = from
			return Value{}, fmt.Errorf("field %.40q repeated", name)
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		fields = append(fields, Field{Name: name, Value: v})
	}
	return MapValue(fields), nil
}

// length reads how many bytes or entries follow, each of which takes a byte at
// least.
func (d *binaryDecoder) length() (int, error) {
	n, size := binary.Uvarint(d.src[d.at:])
	switch {
	case size == 0:
		return 0, errBinaryEnd
	case size < 0:
		return 0, errors.New("a length that does not fit 64 bits")
	case n > uint64(len(d.src)-d.at-size):
		return 0, errBinaryEnd
	}
	d.at += size
	return int(n), nil
}

func (d *binaryDecoder) text() (string, error) {
	n, err := d.length()
	if err != nil {
		return "", err
	}
	d.at += n
	return string(d.src[d.at-n : d.at]), nil
}
