package text

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/feac4032/multiproc/config"
)

// Object writes one JSON object without reflection: there may be two for each
// instance. Texts that are not UTF-8 are escaped as AppendQuoted says, and
// listed by the last field, "escaped". The zero Object is ready for Open.
type Object struct {
	B       []byte // what is written so far
	escaped []string
}

// Open begins the object.
func (o *Object) Open() *Object {
	o.B = append(o.B, '{')
	return o
}

// Close ends the object and returns it.
func (o *Object) Close() []byte {
	if len(o.escaped) > 0 {
		o.Name("escaped")
		for i, name := range o.escaped {
			o.B = append(o.B, "[,"[min(i, 1)])
			o.B, _ = AppendQuoted(o.B, name)
		}
		o.B = append(o.B, ']')
	}
	o.B = append(o.B, '}')
	return o.B
}

// Name begins a field; its value is appended to B next. A name may be any text,
// and is escaped as AppendQuoted says.
func (o *Object) Name(name string) {
	if n := len(o.B); n > 0 && o.B[n-1] != '{' {
		o.B = append(o.B, ',')
	}
	o.B, _ = AppendQuoted(o.B, name)
	o.B = append(o.B, ':')
}

// Text adds a text, escaped if it is not UTF-8.
func (o *Object) Text(name, s string) {
	o.Name(name)
	var escaped bool
	if o.B, escaped = AppendQuoted(o.B, s); escaped {
		o.escaped = append(o.escaped, name)
	}
}

// Some adds a text unless it is empty.
func (o *Object) Some(name, s string) {
	if s != "" {
		o.Text(name, s)
	}
}

// Int adds an integer.
func (o *Object) Int(name string, i int64) {
	o.Name(name)
	o.B = strconv.AppendInt(o.B, i, 10)
}

// Seconds adds a duration in seconds.
func (o *Object) Seconds(name string, d time.Duration) {
	o.Name(name)
	o.B = strconv.AppendFloat(o.B, Seconds(d), 'f', -1, 64)
}

// Seconds gives seconds to the microsecond.
func Seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }

// Time adds a moment as in RFC 3339, to the nanosecond.
func (o *Object) Time(name string, t time.Time) {
	o.Name(name)
	o.B = append(o.B, '"')
	o.B = t.AppendFormat(o.B, "2006-01-02T15:04:05.000000000Z07:00")
	o.B = append(o.B, '"')
}

// Item adds an item with its type. Of one whose text is longer than limit it
// adds the beginning, as a text, and its length as "item_bytes".
func (o *Object) Item(v config.Value, limit int) {
	if text := v.Text(); len(text) > limit {
		o.Text("item", text[:limit])
		o.Int("item_bytes", int64(len(text)))
		return
	}
	o.Value("item", v)
}

// Value adds a value with its type. A list or map that holds a text which is not
// UTF-8 is added as a text itself, its JSON, escaped.
func (o *Object) Value(name string, v config.Value) {
	if v.Type() == config.Text {
		o.Text(name, v.Text())
		return
	}
	o.Name(name)
	from := len(o.B)
	o.B = v.AppendJSON(o.B)
	if !utf8.Valid(o.B[from:]) {
		o.B = o.B[:from]
		o.B, _ = AppendQuoted(o.B, v.Text())
		o.escaped = append(o.escaped, name)
	}
}
