package config

import (
	"math"
	"strconv"
	"strings"
)

// Type is the type of a [Value].
type Type uint8

// The types of values, see [Value.Any] for what they are in Go.
const (
	Null Type = iota
	Bool
	Int  // fits int64
	Uint // above int64, fits uint64
	Float
	Text
	List
	Map
)

// Value is a typed scalar, list or map that keeps the text its scalars were
// written with: 3.0 is a float that prints as "3.0". The zero Value is null and
// prints as nothing. Values are never changed after they are made and may be
// shared.
type Value struct {
	typ   Type
	text  string // scalars: as written; Text: the string itself, any bytes
	bits  uint64 // Bool, Int, Uint, Float
	inner *inner // List, Map
}

type inner struct {
	list   []Value
	fields []Field
}

// Field is a named value: an entry of a map, a variable, an axis' value.
type Field struct {
	Name  string
	Value Value
}

// String makes a text value. The bytes need not be UTF-8.
func String(s string) Value { return Value{typ: Text, text: s} }

// IntValue makes an integer.
func IntValue(i int64) Value {
	return Value{typ: Int, text: strconv.FormatInt(i, 10), bits: uint64(i)}
}

// BoolValue makes a boolean.
func BoolValue(b bool) Value {
	if b {
		return Value{typ: Bool, text: "true", bits: 1}
	}
	return Value{typ: Bool, text: "false"}
}

// ListValue makes a list. It keeps items.
func ListValue(items []Value) Value { return Value{typ: List, inner: &inner{list: items}} }

// MapValue makes a map whose fields keep their order; names must be unique. It
// keeps fields.
func MapValue(fields []Field) Value { return Value{typ: Map, inner: &inner{fields: fields}} }

// Type tells what the value is.
func (v Value) Type() Type { return v.typ }

// Items gives the entries of a list, nil for other types. The caller must not
// change them.
func (v Value) Items() []Value {
	if v.typ != List {
		return nil
	}
	return v.inner.list
}

// Fields gives the entries of a map in the order written, nil for other types.
// The caller must not change them.
func (v Value) Fields() []Field {
	if v.typ != Map {
		return nil
	}
	return v.inner.fields
}

// Field gives the entry of a map with that name.
func (v Value) Field(name string) (Value, bool) {
	if v.typ != Map {
		return Value{}, false
	}
	return lookup(v.inner.fields, name)
}

// has reports whether there is something at the end of a path of fields.
func (v Value) has(path []string) bool {
	for _, name := range path {
		var ok bool
		if v, ok = v.Field(name); !ok {
			return false
		}
	}
	return true
}

func lookup(fields []Field, name string) (Value, bool) {
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Value, true
		}
	}
	return Value{}, false
}

// fieldNames finds names that come twice while a map is read: among few by
// looking, among many by a set, which the zero one makes when it is due.
type fieldNames map[string]bool

// repeated reports whether name is one of fields; otherwise it is to become the
// next of them.
func (seen *fieldNames) repeated(fields []Field, name string) bool {
	if len(fields) < 16 {
		_, ok := lookup(fields, name)
		return ok
	}
	if *seen == nil {
		*seen = make(fieldNames, 64)
		for _, f := range fields {
			(*seen)[f.Name] = true
		}
	}
	if (*seen)[name] {
		return true
	}
	(*seen)[name] = true
	return false
}

// Text prints the value: scalars as they were written, lists and maps as
// compact JSON in the order written.
func (v Value) Text() string {
	switch v.typ {
	case List, Map:
		return string(v.AppendJSON(nil))
	}
	return v.text
}

// Any gives the value as plain Go data: nil, bool, int64, uint64 (only above
// int64), float64, string, []any or map[string]any.
func (v Value) Any() any {
	switch v.typ {
	case Bool:
		return v.bits != 0
	case Int:
		return int64(v.bits)
	case Uint:
		return v.bits
	case Float:
		return math.Float64frombits(v.bits)
	case Text:
		return v.text
	case List:
		out := make([]any, len(v.inner.list))
		for i, e := range v.inner.list {
			out[i] = e.Any()
		}
		return out
	case Map:
		out := make(map[string]any, len(v.inner.fields))
		for _, f := range v.inner.fields {
			out[f.Name] = f.Value.Any()
		}
		return out
	}
	return nil
}

// Equal reports whether two values have the same type and print the same, so
// that 1 and 1.0 and "1" differ.
func (v Value) Equal(w Value) bool {
	if v.typ != w.typ {
		return false
	}
	switch v.typ {
	case Null:
		return true
	case List, Map:
		return v.Text() == w.Text()
	}
	return v.text == w.text
}

// Scalar reads text as an unquoted YAML scalar, the way the job file does: 12
// is an integer, true a boolean, ~ null. What the file refuses (017, 1_000,
// .nan) is text here, so that a flag's value is never wrong.
func Scalar(text string) Value {
	v, _ := resolve(text)
	return v
}

// resolve gives an unquoted scalar its type by the YAML 1.2 core schema. With a
// reason, the scalar is one that YAML's versions read differently or that has
// no exact value.
func resolve(s string) (v Value, reason string) {
	text := Value{typ: Text, text: s}
	if s == "" {
		return Value{}, ""
	}
	switch s {
	case "~", "null", "Null", "NULL":
		return Value{typ: Null, text: s}, ""
	case "true", "True", "TRUE":
		return Value{typ: Bool, text: s, bits: 1}, ""
	case "false", "False", "FALSE":
		return Value{typ: Bool, text: s}, ""
	}
	digits := s
	sign := ""
	if s[0] == '-' || s[0] == '+' {
		sign, digits = s[:1], s[1:]
	}
	if digits == "" {
		return text, ""
	}
	switch digits {
	case ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN":
		return text, s + " is not a number that can be passed on"
	}
	if c := digits[0]; c != '.' && (c < '0' || c > '9') {
		return text, ""
	}
	if len(digits) > 2 && digits[0] == '0' {
		base := 0
		switch digits[1] {
		case 'x':
			base = 16
		case 'o':
			base = 8
		case 'b':
			base = 2
		}
		if base != 0 {
			return integer(s, sign, digits[2:], base)
		}
	}
	switch numberForm(digits) {
	case plainInt:
		if len(digits) > 1 && digits[0] == '0' {
			return text, s + " has a leading zero"
		}
		return integer(s, sign, digits, 10)
	case underscored:
		return text, s + " has underscores in a number"
	case plainFloat:
		if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
			return text, s + " has a leading zero"
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return text, s + " is too large for a number"
		}
		return Value{typ: Float, text: s, bits: math.Float64bits(f)}, ""
	}
	return text, ""
}

func integer(s, sign, digits string, base int) (Value, string) {
	text := Value{typ: Text, text: s}
	for i := 0; i < len(digits); i++ {
		c := digits[i] | 0x20
		ok := c >= '0' && c <= '9' || base == 16 && c >= 'a' && c <= 'f'
		if digits[i] == '_' {
			if i > 0 {
				return text, s + " has underscores in a number"
			}
			return text, ""
		}
		if !ok || base < 10 && int(c-'0') >= base {
			return text, ""
		}
	}
	u, err := strconv.ParseUint(digits, base, 64)
	switch {
	case err != nil:
		return text, s + " does not fit 64 bits"
	case sign == "-" && u > 1<<63:
		return text, s + " does not fit 64 bits"
	case sign == "-":
		return Value{typ: Int, text: s, bits: -u}, ""
	case u > math.MaxInt64:
		return Value{typ: Uint, text: s, bits: u}, ""
	}
	return Value{typ: Int, text: s, bits: u}, ""
}

type form uint8

const (
	notNumber form = iota
	plainInt
	plainFloat
	underscored
)

// numberForm tells what an unsigned decimal looks like, without regular
// expressions: every plain scalar of a large file comes through here.
func numberForm(s string) form {
	var digits, dots, exps, unders int
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && exps == 0:
			dots++
		case c == '_':
			unders++
		case (c == 'e' || c == 'E') && digits > 0 && exps == 0:
			exps++
			if i+1 < len(s) && (s[i+1] == '-' || s[i+1] == '+') {
				i++
			}
			if i+1 == len(s) {
				return notNumber
			}
		default:
			return notNumber
		}
	}
	switch {
	case digits == 0 || dots > 1:
		return notNumber
	case unders > 0:
		if strings.HasPrefix(s, "_") || exps > 0 {
			return notNumber
		}
		return underscored
	case dots == 0 && exps == 0:
		return plainInt
	}
	return plainFloat
}
