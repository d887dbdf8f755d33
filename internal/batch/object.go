package batch

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/feac4032/multiproc/config"
)

// object writes one JSON object without reflection: there may be two for each
// instance. Texts that are not UTF-8 are escaped as appendQuoted says, and
// listed by the last field, "escaped".
type object struct {
	b       []byte
	escaped []string
}

func (o *object) open() *object {
	o.b = append(o.b, '{')
	return o
}

func (o *object) close() []byte {
	if len(o.escaped) > 0 {
		o.name("escaped")
		for i, name := range o.escaped {
			o.b = append(o.b, "[,"[min(i, 1)])
			o.b, _ = appendQuoted(o.b, name)
		}
		o.b = append(o.b, ']')
	}
	o.b = append(o.b, '}')
	return o.b
}

func (o *object) name(name string) {
	if n := len(o.b); n > 0 && o.b[n-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) text(name, s string) {
	o.name(name)
	var escaped bool
	if o.b, escaped = appendQuoted(o.b, s); escaped {
		o.escaped = append(o.escaped, name)
	}
}

// some adds a text unless it is empty.
func (o *object) some(name, s string) {
	if s != "" {
		o.text(name, s)
	}
}

func (o *object) int(name string, i int64) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, i, 10)
}

// seconds adds a duration in seconds.
func (o *object) seconds(name string, d time.Duration) {
	o.name(name)
	o.b = strconv.AppendFloat(o.b, round(d), 'f', -1, 64)
}

// round gives seconds to the microsecond.
func round(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }

func (o *object) time(name string, t time.Time) {
	o.name(name)
	o.b = append(o.b, '"')
	o.b = t.AppendFormat(o.b, "2006-01-02T15:04:05.000000000Z07:00")
	o.b = append(o.b, '"')
}

// item adds an item with its type. Of one whose text is longer than limit it
// adds the beginning, as a text, and its length as "item_bytes".
func (o *object) item(v config.Value, limit int) {
	text := v.Text()
	switch {
	case len(text) > limit:
		o.text("item", text[:limit])
		o.int("item_bytes", int64(len(text)))
		return
	case v.Type() == config.Text:
		o.text("item", text)
		return
	}
	o.name("item")
	from := len(o.b)
	o.b = v.AppendJSON(o.b)
	if !utf8.Valid(o.b[from:]) {
		o.b = o.b[:from]
		o.b, _ = appendQuoted(o.b, text)
		o.escaped = append(o.escaped, "item")
	}
}
