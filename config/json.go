package config

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep lists and maps may nest, in the file and in JSON
// items: as deep as a payload on the wire may.
const maxDepth = 100

// MarshalJSON gives the value as compact JSON.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// AppendJSON appends the value as compact JSON, maps in the order written.
// Numbers keep their text where that is JSON. Bytes of strings that are not
// UTF-8 are kept as they are.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.typ {
	case Null:
		return append(b, "null"...)
	case Bool:
		return strconv.AppendBool(b, v.bits != 0)
	case Int:
		return strconv.AppendInt(b, int64(v.bits), 10)
	case Uint:
		return strconv.AppendUint(b, v.bits, 10)
	case Float:
		if end, ok := jsonNumber(v.text); ok && end == len(v.text) {
			return append(b, v.text...)
		}
		return appendFloat(b, v.Any().(float64))
	case Text:
		return appendJSONString(b, v.text)
	case List:
		b = append(b, '[')
		for i, e := range v.inner.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.AppendJSON(b)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, f := range v.inner.fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONString(b, f.Name)
			b = append(b, ':')
			b = f.Value.AppendJSON(b)
		}
		return append(b, '}')
	}
	return b
}

func appendFloat(b []byte, f float64) []byte {
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

var errJSONEnd = errors.New("unexpected end of JSON")

// ParseJSON reads one JSON value, as in a line of a jsonl source. It keeps the
// text of numbers and the order of objects. Repeated keys, numbers that do not
// fit, invalid UTF-8, nesting deeper than 100 and anything behind the value are
// errors, which name the byte offset.
func ParseJSON(src []byte) (Value, error) {
	if !utf8.Valid(src) {
		return Value{}, errors.New("JSON is not valid UTF-8")
	}
	p := jsonParser{src: string(src)}
	v, err := p.value(1)
	if err == nil {
		p.space()
		if p.at < len(p.src) {
			err = errors.New("something follows the JSON value")
		}
	}
	if err != nil {
		return Value{}, fmt.Errorf("%w at byte %d", err, p.at)
	}
	return v, nil
}

type jsonParser struct {
	src string
	at  int
}

func (p *jsonParser) space() {
	for p.at < len(p.src) {
		switch p.src[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *jsonParser) value(depth int) (Value, error) {
	p.space()
	if p.at >= len(p.src) {
		return Value{}, errJSONEnd
	}
	switch c := p.src[p.at]; c {
	case '{', '[':
		if depth > maxDepth {
			return Value{}, fmt.Errorf("JSON nested deeper than %d levels", maxDepth)
		}
		p.at++
		if c == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case '"':
		s, err := p.str()
		return String(s), err
	case 't', 'f', 'n':
		for _, word := range [...]string{"true", "false", "null"} {
			if len(p.src)-p.at >= len(word) && p.src[p.at:p.at+len(word)] == word {
				p.at += len(word)
				v, _ := resolve(word)
				return v, nil
			}
		}
		return Value{}, errors.New("invalid JSON")
	}
	end, ok := jsonNumber(p.src[p.at:])
	if !ok {
		return Value{}, errors.New("invalid JSON")
	}
	v, reason := resolve(p.src[p.at : p.at+end])
	if reason != "" {
		return Value{}, errors.New("JSON number " + reason)
	}
	p.at += end
	return v, nil
}

func (p *jsonParser) array(depth int) (Value, error) {
	var items []Value
	for first := true; ; first = false {
		p.space()
		if p.at < len(p.src) && p.src[p.at] == ']' && first {
			p.at++
			return ListValue(nil), nil
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		items = append(items, v)
		more, err := p.next(']')
		if err != nil {
			return Value{}, err
		}
		if !more {
			return ListValue(items), nil
		}
	}
}

func (p *jsonParser) object(depth int) (Value, error) {
	var fields []Field
	var seen fieldNames
	for first := true; ; first = false {
		p.space()
		if p.at < len(p.src) && p.src[p.at] == '}' && first {
			p.at++
			return MapValue(nil), nil
		}
		if p.at >= len(p.src) {
			return Value{}, errJSONEnd
		}
		if p.src[p.at] != '"' {
			return Value{}, errors.New("invalid JSON: want a key in quotes")
		}
		name, err := p.str()
		if err != nil {
			return Value{}, err
		}
		if seen.repeated(fields, name) {
			return Value{}, fmt.Errorf("JSON key %q repeated", name)
		}
		p.space()
		if p.at >= len(p.src) || p.src[p.at] != ':' {
			return Value{}, errors.New("invalid JSON: want a colon")
		}
		p.at++
		v, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		fields = append(fields, Field{Name: name, Value: v})
		more, err := p.next('}')
		if err != nil {
			return Value{}, err
		}
		if !more {
			return MapValue(fields), nil
		}
	}
}

// next consumes the comma between entries or the closing bracket.
func (p *jsonParser) next(closing byte) (more bool, err error) {
	p.space()
	if p.at >= len(p.src) {
		return false, errJSONEnd
	}
	c := p.src[p.at]
	if c != ',' && c != closing {
		return false, fmt.Errorf("invalid JSON: want a comma or %q", closing)
	}
	p.at++
	return c == ',', nil
}

func (p *jsonParser) str() (string, error) {
	p.at++
	from := p.at
	for p.at < len(p.src) {
		switch c := p.src[p.at]; {
		case c == '"':
			s := p.src[from:p.at]
			p.at++
			return s, nil
		case c == '\\':
			return p.escaped(from)
		case c < 0x20:
			return "", errors.New("invalid JSON: control character in a string")
		}
		p.at++
	}
	return "", errJSONEnd
}

func (p *jsonParser) escaped(from int) (string, error) {
	b := []byte(p.src[from:p.at])
	for p.at < len(p.src) {
		c := p.src[p.at]
		p.at++
		switch {
		case c == '"':
			return string(b), nil
		case c < 0x20:
			return "", errors.New("invalid JSON: control character in a string")
		case c != '\\':
			b = append(b, c)
			continue
		}
		if p.at >= len(p.src) {
			break
		}
		e := p.src[p.at]
		p.at++
		switch e {
		case '"', '\\', '/':
			b = append(b, e)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, ok := p.hex4()
			if !ok {
				return "", errors.New(`invalid JSON: \u wants four hex digits`)
			}
			if utf16.IsSurrogate(r) {
				if p.at+1 >= len(p.src) || p.src[p.at] != '\\' || p.src[p.at+1] != 'u' {
					return "", errors.New("invalid JSON: half a surrogate pair")
				}
				p.at += 2
				low, _ := p.hex4()
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return "", errors.New("invalid JSON: half a surrogate pair")
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			return "", errors.New("invalid JSON: unknown escape")
		}
	}
	return "", errJSONEnd
}

func (p *jsonParser) hex4() (rune, bool) {
	if p.at+4 > len(p.src) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.src[p.at:p.at+4], 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += 4
	return rune(n), true
}

// jsonNumber gives the length of the JSON number at the start of s.
func jsonNumber(s string) (end int, ok bool) {
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return 0, false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return 0, false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		if !digits() {
			return 0, false
		}
	}
	return i, true
}
