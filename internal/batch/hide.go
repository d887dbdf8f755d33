package batch

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/mask"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// Secrets are hidden where what a run is told comes in, so that nobody behind that
// place has to think of them: the end of an attempt in record and Retrying, its output
// as it comes in Output, the end of a worker in worker. What is made here of instances
// shows their faces, and the supervisor's own lines are hidden in the ledger.

// hidden gives a result without secrets, and what gives its outputs back. res stays as
// it is.
func (r *run) hidden(res *pool.Result) (*pool.Result, func()) {
	m := r.mask
	if m == nil {
		return res, func() {}
	}
	h := *res
	h.Evidence, h.Value = m.Text(res.Evidence), Hide(m, res.Value)
	if f := res.Failure; f != nil {
		g := *f
		g.Msg, g.Stack = m.Text(f.Msg), m.Text(f.Stack)
		h.Failure = &g
	}
	cut := cutOff(res)
	out, err := r.hideOutput(&h.Stdout, cut)
	errs, err2 := r.hideOutput(&h.Stderr, cut)
	if err == nil {
		err = err2
	}
	if err != nil {
		// Rather none than one with secrets.
		r.lost(toStdout, fmt.Errorf("output from which secrets are to be taken: %w", cause(err)))
	}
	return &h, func() { out.close(); errs.close() }
}

// cutOff reports that an attempt did not end its output by itself.
func cutOff(res *pool.Result) bool {
	return res.Outcome != pool.OK && res.Outcome != pool.Failed
}

// hideOutput takes the secrets out of an output. What does not fit in memory then is in
// a file, which is the caller's to close.
func (r *run) hideOutput(o *pool.Output, cut bool) (*spill, error) {
	if b, ok := o.Bytes(maxCopy); ok {
		s := r.mask.Stream()
		if h := s.End(s.Append(nil, b), cut); s.Hid() {
			*o = pool.BytesOutput(h)
		}
		return nil, nil
	}
	look := r.mask.Writer(io.Discard)
	_, err := o.WriteTo(look)
	if err == nil {
		err = look.End(cut)
	}
	if err == nil && !look.Hid() {
		return nil, nil
	}
	var file *spill
	if err == nil {
		file, err = newSpill(r.cfg.SpillDir)
	}
	n := int64(0)
	if err == nil {
		count := &lineEnd{w: file.f}
		w := r.mask.Writer(count)
		if _, err = o.WriteTo(w); err == nil {
			err = w.End(cut)
		}
		n = count.n
	}
	if err != nil {
		*o = pool.Output{}
		return file, err
	}
	*o = pool.FileOutput(file.f, n)
	return file, nil
}

// Hide takes the secrets out of a result in msgpack. What cannot be read is
// hidden as a whole. Lists and maps keep their sizes, so that their heads are copied
// and what is in them follows by itself.
func Hide(m *mask.Masker, v []byte) []byte {
	if len(v) == 0 || !m.In(v) && !m.Numeric() {
		return v
	}
	out, hid := make([]byte, 0, len(v)), false
	for rest := v; len(rest) > 0; {
		head, body, ok := measure(rest)
		if !ok {
			return appendString(nil, mask.Shown)
		}
		item := rest[:head+body]
		rest = rest[head+body:]
		switch c := item[0]; kindOf(c) {
		case textKind:
			if m.In(item[head:]) {
				out, hid = appendString(out, string(m.Bytes(item[head:]))), true
				continue
			}
		case bytesKind:
			if m.In(item[head:]) {
				out, hid = appendBytes(out, m.Bytes(item[head:])), true
				continue
			}
		case extKind:
			if m.In(item[head:]) {
				out, hid = appendString(out, mask.Shown), true
				continue
			}
		case numberKind:
			if b, err := task.AppendJSON(nil, item); m.Numeric() && (err != nil || m.In(b)) {
				out, hid = appendString(out, mask.Shown), true
				continue
			}
		}
		out = append(out, item...)
	}
	switch {
	case m.In(out): // in small numbers, one after the other
		return appendString(nil, mask.Shown)
	case !hid:
		return v
	}
	return out
}

// kind is what hiding has to know of a msgpack value.
type kind uint8

const (
	otherKind kind = iota // nil, a boolean, the head of a list or a map
	numberKind
	textKind
	bytesKind
	extKind
)

func kindOf(c byte) kind {
	switch {
	case c <= 0x7f || c >= 0xe0 || c >= 0xca && c <= 0xd3:
		return numberKind
	case c >= 0xa0 && c <= 0xbf || c >= 0xd9 && c <= 0xdb:
		return textKind
	case c >= 0xc4 && c <= 0xc6:
		return bytesKind
	case c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8:
		return extKind
	}
	return otherKind
}

// measure gives the lengths of a msgpack value's head and body. What is in a list or a
// map is no part of it.
func measure(b []byte) (head, body int, ok bool) {
	c := b[0]
	width := 0 // of the length
	head = 1
	switch {
	case c == 0xc1:
		return 0, 0, false
	case c >= 0xa0 && c <= 0xbf:
		body = int(c & 31)
	case c >= 0xc4 && c <= 0xc6:
		width = 1 << (c - 0xc4)
	case c >= 0xc7 && c <= 0xc9:
		width, body = 1<<(c-0xc7), 1
	case c == 0xca || c == 0xce || c == 0xd2 || c == 0xdd || c == 0xdf:
		head = 5
	case c == 0xcb || c == 0xcf || c == 0xd3:
		head = 9
	case c == 0xcc || c == 0xd0:
		head = 2
	case c == 0xcd || c == 0xd1 || c == 0xdc || c == 0xde:
		head = 3
	case c >= 0xd4 && c <= 0xd8:
		body = 1 + 1<<(c-0xd4)
	case c >= 0xd9 && c <= 0xdb:
		width = 1 << (c - 0xd9)
	}
	head += width
	if len(b) < head {
		return 0, 0, false
	}
	n := 0
	for _, x := range b[head-width : head] {
		n = n<<8 | int(x)
	}
	if body += n; body < 0 || body > len(b)-head {
		return 0, 0, false
	}
	return head, body, true
}

// appendBytes appends bytes as msgpack.
func appendBytes(b, p []byte) []byte {
	switch n := len(p); {
	case n < 1<<8:
		b = append(b, 0xc4, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0xc5), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xc6), uint32(n))
	}
	return append(b, p...)
}

// face gives the instance as it is shown: itself, unless an item or a value of the
// matrix holds a secret.
func (in *Instance) face() *Instance {
	if in == nil || in.plan == nil || in.plan.mask == nil {
		return in
	}
	m := in.plan.mask
	item, changed := hideItem(m, in.Item)
	items, changed2 := hideItems(m, in.Items)
	matrix, changed3 := hideFields(m, in.Matrix)
	if !changed && !changed2 && !changed3 {
		return in
	}
	return &Instance{
		Job: in.Job, Index: in.Index, Item: item, Items: items, Matrix: matrix,
		plan: in.plan, bad: in.bad, state: in.state,
	}
}

// hideItem takes the secrets out of a value of the job file or of an item, and reports
// whether there were any.
func hideItem(m *mask.Masker, v config.Value) (config.Value, bool) {
	switch v.Type() {
	case config.List:
		if items, changed := hideItems(m, v.Items()); changed {
			return config.ListValue(items), true
		}
	case config.Map:
		if fields, changed := hideFields(m, v.Fields()); changed {
			return config.MapValue(fields), true
		}
	default:
		if t := v.Text(); m.Text(t) != t {
			return config.String(m.Text(t)), true
		}
	}
	return v, false
}

func hideItems(m *mask.Masker, items []config.Value) ([]config.Value, bool) {
	changed := false
	for i, v := range items {
		h, is := hideItem(m, v)
		if is && !changed {
			items, changed = slices.Clone(items), true
		}
		if is {
			items[i] = h
		}
	}
	return items, changed
}

// hideFields leaves the names as they are, unless they are secrets too.
func hideFields(m *mask.Masker, fields []config.Field) ([]config.Field, bool) {
	changed := false
	for i, f := range fields {
		h, is := hideItem(m, f.Value)
		name := m.Text(f.Name)
		if is || name != f.Name {
			if !changed {
				fields, changed = slices.Clone(fields), true
			}
			fields[i] = config.Field{Name: name, Value: h}
		}
	}
	return fields, changed
}
