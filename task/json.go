package task

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendJSON appends one msgpack value to dst as compact JSON, without building
// the value in between. The bytes may be hostile; on error dst is returned as
// it was.
//
// Integers keep all their digits. What JSON lacks is written so that it can be
// told apart and turned back:
//   - binary: {"$bytes":"base64"}
//   - a string that is not UTF-8: {"$string":"base64"}
//   - a timestamp: a string as in RFC 3339, in UTC; outside the years 0 to 9999,
//     and any other extension: {"$ext":[type,"base64"]}
//   - not-a-number and infinities: "NaN", "Infinity", "-Infinity"
//   - keys: integers, floats, booleans and nil as their text; binary and what is
//     not UTF-8 as "$bytes:base64" and "$string:base64"; arrays, maps and
//     extensions are refused as keys.
//
// A key that would be taken for one of these marks ("$bytes" as the only key of
// a map, "$bytes:…" anywhere, and the same with more "$" before it) gets one
// more "$", which a reader takes away. Keys that differ only in kind, such as 1
// and "1", come out the same.
func AppendJSON(dst, msgpack []byte) ([]byte, error) {
	j := transcoder{reader: reader{data: msgpack}, out: dst}
	if err := j.finish("value", j.value()); err != nil {
		return dst, err
	}
	return j.out, nil
}

type transcoder struct {
	reader
	out []byte
}

func (j *transcoder) value() error {
	h, err := j.head()
	if err != nil {
		return err
	}
	switch h.kind {
	case wireString:
		b := j.body(h)
		if out, ok := appendJSONString(j.out, b); ok {
			j.out = out
		} else {
			j.marked("$string", b)
		}
	case wireBinary:
		j.marked("$bytes", j.body(h))
	case wireArray:
		return j.array(h)
	case wireMap:
		return j.object(h)
	case wireExt:
		j.extension(h)
	default:
		j.out = appendJSONScalar(j.out, h)
	}
	return nil
}

func (j *transcoder) array(h head) error {
	if err := j.open(h, 1); err != nil {
		return err
	}
	j.out = append(j.out, '[')
	for i := range h.size {
		if i > 0 {
			j.out = append(j.out, ',')
		}
		j.next()
		if err := j.value(); err != nil {
			return within("["+strconv.Itoa(i)+"]", err)
		}
	}
	j.close()
	j.out = append(j.out, ']')
	return nil
}

func (j *transcoder) object(h head) error {
	if err := j.open(h, 2); err != nil {
		return err
	}
	j.out = append(j.out, '{')
	for i := range h.size {
		if i > 0 {
			j.out = append(j.out, ',')
		}
		j.next()
		if err := j.key(h.size == 1); err != nil {
			return within("[key "+strconv.Itoa(i)+"]", err)
		}
		j.out = append(j.out, ':')
		j.next()
		if err := j.value(); err != nil {
			return within("[key "+strconv.Itoa(i)+"]", err)
		}
	}
	j.close()
	j.out = append(j.out, '}')
	return nil
}

func (j *transcoder) key(alone bool) error {
	h, err := j.head()
	if err != nil {
		return err
	}
	switch h.kind {
	case wireString:
		b := j.body(h)
		out, ok := appendJSONString(j.out, b)
		if !ok {
			j.keyBytes("$string:", b)
			return nil
		}
		if looksMarked(b, alone) {
			out, _ = appendJSONString(j.out, append([]byte{'$'}, b...))
		}
		j.out = out
	case wireBinary:
		j.keyBytes("$bytes:", j.body(h))
	case wireArray, wireMap, wireExt:
		return decodeErrorf("%v as a key", h.kind)
	default:
		start := len(j.out)
		j.out = appendJSONScalar(j.out, h)
		if j.out[start] != '"' {
			j.out = append(j.out, 0)
			copy(j.out[start+1:], j.out[start:])
			j.out[start] = '"'
			j.out = append(j.out, '"')
		}
	}
	return nil
}

// looksMarked reports whether a reader would take a key for one of our marks,
// or for one that has been escaped.
func looksMarked(key []byte, alone bool) bool {
	if len(key) == 0 || key[0] != '$' {
		return false
	}
	name := strings.TrimLeft(string(key), "$")
	if alone && (name == "bytes" || name == "string" || name == "ext") {
		return true
	}
	return strings.HasPrefix(name, "bytes:") || strings.HasPrefix(name, "string:")
}

func (j *transcoder) keyBytes(mark string, b []byte) {
	j.out = append(append(j.out, '"'), mark...)
	j.out = base64.StdEncoding.AppendEncode(j.out, b)
	j.out = append(j.out, '"')
}

func (j *transcoder) marked(mark string, b []byte) {
	j.out = append(append(append(j.out, `{"`...), mark...), `":"`...)
	j.out = base64.StdEncoding.AppendEncode(j.out, b)
	j.out = append(j.out, `"}`...)
}

func (j *transcoder) extension(h head) {
	b := j.body(h)
	if h.ext == timeExt {
		if t, err := timestamp(b); err == nil && t.Year() >= 0 && t.Year() <= 9999 {
			j.out = append(j.out, '"')
			j.out = t.AppendFormat(j.out, time.RFC3339Nano)
			j.out = append(j.out, '"')
			return
		}
	}
	j.out = append(j.out, `{"$ext":[`...)
	j.out = strconv.AppendInt(j.out, int64(h.ext), 10)
	j.out = append(j.out, `,"`...)
	j.out = base64.StdEncoding.AppendEncode(j.out, b)
	j.out = append(j.out, `"]}`...)
}

func appendJSONScalar(dst []byte, h head) []byte {
	switch h.kind {
	case wireBool:
		return strconv.AppendBool(dst, h.bits == 1)
	case wireInt:
		return strconv.AppendInt(dst, int64(h.bits), 10)
	case wireUint:
		return strconv.AppendUint(dst, h.bits, 10)
	case wireFloat32:
		return appendJSONFloat(dst, float64(math.Float32frombits(uint32(h.bits))), 32)
	case wireFloat64:
		return appendJSONFloat(dst, math.Float64frombits(h.bits), 64)
	}
	return append(dst, "null"...)
}

// appendJSONFloat writes the shortest number that reads back as f, in the form
// that encoding/json gives it.
func appendJSONFloat(dst []byte, f float64, size int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, size)
}

// plain marks the bytes that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\' && c != 0x7f
	}
	return t
}()

// appendJSONString reports false, and appends nothing, if s is not UTF-8.
// DEL and the controls U+0080 to U+009F are escaped as well: a line of JSON is
// often looked at in a terminal, which would obey them.
func appendJSONString(dst, s []byte) ([]byte, bool) {
	start := len(dst)
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		if c := s[i]; c < utf8.RuneSelf {
			dst = append(dst, s[from:i]...)
			dst = appendEscape(dst, c)
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && size == 1 {
			return dst[:start], false
		}
		if r < 0xa0 {
			dst = append(dst, s[from:i]...)
			dst = appendEscape(dst, byte(r))
			from = i + size
		}
		i += size
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"'), true
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}
