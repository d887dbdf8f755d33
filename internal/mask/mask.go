package mask

import (
	"io"
	"strings"
)

// Shown stands in the place of a value.
const Shown = "***"

// MinLen is the least length of a value in bytes. What is shorter stands in too many
// texts that have nothing to do with it, and is not looked for.
const MinLen = 4

// Masker finds secret values. A nil Masker finds none, and costs nothing. It may be
// used by many goroutines at once.
type Masker struct {
	pairs   [1 << 16 / 64]uint64 // by the first two bytes: some form begins with them
	root    [256]int32           // the node of each first byte
	nodes   []node
	longest int
	numeric bool

	// What begins no form is skipped as Wu and Manber do: how far to go on depends on
	// the last two bytes of a window in which the shortest form has room.
	window int
	shift  [1 << 16]uint8
}

// maxWindow bounds the window, since what is gained beyond it is little.
const maxWindow = 32

// node is a text that some form begins with. Node 0 is the empty one.
type node struct {
	depth int32 // its length
	match int32 // length of the longest form that it ends with; 0: none
	least int32 // length of the shortest form that begins with it
	fail  int32 // its longest end that is a node, too
	child int32 // of its first child; 0: none
	next  int32 // the next child of its parent
	b     byte  // its last byte
}

// New makes a Masker of values, nil where there is nothing to look for: values that
// are shorter than MinLen count for nothing.
func New(values []string) *Masker {
	m := &Masker{nodes: make([]node, 1)}
	m.window = maxWindow
	var all []string
	seen := make(map[string]bool)
	for _, v := range values {
		for _, f := range forms(v) {
			if !seen[f] {
				seen[f] = true
				all = append(all, f)
				m.add(f)
			}
		}
		m.numeric = m.numeric || numeric(v)
	}
	if len(all) == 0 {
		return nil
	}
	m.link()
	for i := range m.shift {
		m.shift[i] = uint8(m.window - 1)
	}
	for _, f := range all {
		for i := range m.window - 1 {
			at := &m.shift[pair(f[i], f[i+1])]
			*at = min(*at, uint8(m.window-2-i))
		}
	}
	return m
}

func pair(a, b byte) uint { return uint(a)<<8 | uint(b) }

// numeric reports whether a number may print as s, or with it.
func numeric(s string) bool {
	return strings.Trim(strings.TrimSpace(s), "0123456789+-.eE") == ""
}

func (m *Masker) add(form string) {
	m.longest = max(m.longest, len(form))
	m.window = min(m.window, len(form))
	first := pair(form[0], form[1])
	m.pairs[first/64] |= 1 << (first % 64)
	at := int32(0)
	for i := range len(form) {
		to := m.child(at, form[i])
		if to == 0 {
			to = int32(len(m.nodes))
			m.nodes = append(m.nodes, node{depth: int32(i) + 1, least: int32(len(form)), next: m.nodes[at].child, b: form[i]})
			m.nodes[at].child = to
			if at == 0 {
				m.root[form[i]] = to
			}
		}
		at = to
		m.nodes[at].least = min(m.nodes[at].least, int32(len(form)))
	}
	m.nodes[at].match = int32(len(form))
}

// child gives the node that a byte leads to; 0: none. Few nodes but the first have
// more than one child.
func (m *Masker) child(at int32, b byte) int32 {
	if at == 0 {
		return m.root[b]
	}
	c := m.nodes[at].child
	for c != 0 && m.nodes[c].b != b {
		c = m.nodes[c].next
	}
	return c
}

// link finds for each node its longest end that is a node, those of shorter ones
// first.
func (m *Masker) link() {
	queue := []int32{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for c := m.nodes[at].child; c != 0; c = m.nodes[c].next {
			n := &m.nodes[c]
			if at != 0 {
				n.fail = m.step(m.nodes[at].fail, n.b)
			}
			if n.match == 0 {
				n.match = m.nodes[n.fail].match
			}
			queue = append(queue, c)
		}
	}
}

func (m *Masker) step(at int32, b byte) int32 {
	for {
		if to := m.child(at, b); to != 0 || at == 0 {
			return to
		}
		at = m.nodes[at].fail
	}
}

// skip gives how many bytes at the beginning of p begin no form.
func (m *Masker) skip(p []byte) int {
	i := 0
	for end := m.window; end <= len(p); end = i + m.window {
		if n := int(m.shift[pair(p[end-2], p[end-1])]); n > 0 {
			i += n
			continue
		}
		if m.begins(p[i], p[i+1]) {
			return i
		}
		i++
	}
	for ; i+1 < len(p); i++ {
		if m.begins(p[i], p[i+1]) {
			return i
		}
	}
	if i < len(p) && m.root[p[i]] != 0 {
		return i
	}
	return len(p)
}

// begins reports whether some form begins with two bytes.
func (m *Masker) begins(a, b byte) bool {
	x := pair(a, b)
	return m.pairs[x/64]&(1<<(x%64)) != 0
}

// Longest is the length in bytes of the longest form of a value, and so the most that
// a Stream holds back. 0: there is none.
func (m *Masker) Longest() int {
	if m == nil {
		return 0
	}
	return m.longest
}

// Numeric reports whether a number, printed, may hold a value.
func (m *Masker) Numeric() bool { return m != nil && m.numeric }

// In reports whether p holds a value.
func (m *Masker) In(p []byte) bool {
	if m == nil {
		return false
	}
	at := int32(0)
	for i := 0; i < len(p); i++ {
		if at == 0 {
			if i += m.skip(p[i:]); i == len(p) {
				return false
			}
		}
		if at = m.step(at, p[i]); m.nodes[at].match > 0 {
			return true
		}
	}
	return false
}

// Bytes gives p with each value in it replaced: p itself where there is none.
func (m *Masker) Bytes(p []byte) []byte {
	if !m.In(p) {
		return p
	}
	s := Stream{m: m}
	return s.End(s.Append(make([]byte, 0, len(p)), p), false)
}

// Text is Bytes for a text. Where the text was cut, which a … shows, the beginning of
// a value counts as one.
func (m *Masker) Text(t string) string {
	if m == nil || t == "" {
		return t
	}
	const cut = "…"
	if !strings.Contains(t, cut) {
		if b := []byte(t); m.In(b) {
			return string(m.Bytes(b))
		}
		return t
	}
	s := Stream{m: m}
	var out []byte
	for {
		part, rest, more := strings.Cut(t, cut)
		out = s.Append(out, []byte(part))
		if !more {
			return string(s.End(out, false))
		}
		out = append(s.End(out, true), cut...)
		t = rest
	}
}

// Writer gives a writer that masks what is written through it to w. Close writes what
// it holds back, and leaves w open.
func (m *Masker) Writer(w io.Writer) *Writer { return &Writer{w: w, s: m.Stream()} }

// Writer masks what is written through it.
type Writer struct {
	w   io.Writer
	s   *Stream
	buf []byte
}

// Write implements io.Writer. What it holds back counts as written.
func (w *Writer) Write(p []byte) (int, error) {
	if w.s == nil {
		return w.w.Write(p)
	}
	w.buf = w.s.Append(w.buf[:0], p)
	if len(w.buf) > 0 {
		if _, err := w.w.Write(w.buf); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Hid reports whether anything was hidden so far.
func (w *Writer) Hid() bool { return w.s.Hid() }

// Close writes what was held back.
func (w *Writer) Close() error { return w.End(false) }

// End is Close for a text that may have been cut; see Stream.End.
func (w *Writer) End(cut bool) error {
	if w.s == nil {
		return nil
	}
	w.buf = w.s.End(w.buf[:0], cut)
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.w.Write(w.buf)
	return err
}
