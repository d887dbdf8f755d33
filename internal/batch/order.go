package batch

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/feac4032/multiproc/internal/journal"
)

// maxAhead bounds the instances that have ended and wait for their place in the
// order, and those of the job whose turn it is that are started beyond the head.
const maxAhead = 64 << 10

// orderRoom is how much must be left for outputs that wait, in bytes, for more to be
// started.
const orderRoom = 64 << 20

// order puts the outputs of instances into the order of levels, the file, and the
// index. What is not at the head of it is kept in files until it is.
type order struct {
	store *journal.Outputs // the journal's, or of this run alone
	moved func()           // there is room again

	mu     sync.Mutex
	head   int     // the place of the job whose turn it is
	next   int64   // and the index of its instance
	ended  []int64 // by place: how many instances the job had; -1 = not known
	parked map[spot]parked
	beyond overflow // of those that store has no room for
	full   bool     // somebody was told that there is no room
	at     spot     // where the head was then
}

// spot is a place in the order.
type spot struct {
	place int
	index int64
}

// parked is an output that waits.
type parked struct {
	ref  journal.Ref
	kept bool
	over stretch // where it is that there was no room for
	line []byte  // behind its stdout
	tag  string
}

func newOrder(jobs int, store *journal.Outputs, dir string, moved func()) *order {
	o := &order{store: store, moved: moved, beyond: overflow{dir: dir}, ended: make([]int64, jobs), parked: make(map[spot]parked)}
	for i := range o.ended {
		o.ended[i] = -1
	}
	return o
}

func (o *order) end(place int, count int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended[place] = count
}

// room reports whether the instance of a spot may start. Others wait with too many
// ended or too little room; the job whose turn it is does not, as long as it is not
// too far ahead of the head itself, and that one goes on whatever there is.
func (o *order) room(s spot) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settle()
	head := spot{o.head, o.next}
	ahead := int64(len(o.parked))
	if s.place == o.head {
		ahead = s.index - o.next
	}
	if s == head || ahead < maxAhead && o.store.Room(orderRoom) {
		return true
	}
	o.full, o.at = true, head
	return false
}

// heads reports whether an instance is the head of the order.
func (o *order) heads(s spot) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settle()
	return s == spot{o.head, o.next}
}

// turn is the place of the job whose turn it is.
func (o *order) turn() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settle()
	return o.head
}

// moves reports whether the head can go on by itself.
func (o *order) moves() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settle()
	_, ok := o.parked[spot{o.head, o.next}]
	return ok
}

// settle passes over jobs that have ended. The caller holds mu.
func (o *order) settle() {
	for o.head < len(o.ended) && o.ended[o.head] >= 0 && o.next >= o.ended[o.head] {
		o.head, o.next = o.head+1, 0
	}
}

// pop takes the head off if it is there.
func (o *order) pop() (p parked, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settle()
	s := spot{o.head, o.next}
	if p, ok = o.parked[s]; ok {
		delete(o.parked, s)
		o.next++
	}
	return p, ok
}

// passed says that the head was printed.
func (o *order) passed() {
	o.mu.Lock()
	o.next++
	o.settle()
	o.mu.Unlock()
}

func (o *order) park(s spot, p parked) {
	o.mu.Lock()
	o.parked[s] = p
	o.mu.Unlock()
}

// rest takes all that is left off, in its order: what stood before it will not
// come.
func (o *order) rest() []parked {
	o.mu.Lock()
	defer o.mu.Unlock()
	spots := slices.SortedFunc(maps.Keys(o.parked), func(a, b spot) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.index, b.index))
	})
	left := make([]parked, len(spots))
	for i, s := range spots {
		left[i] = o.parked[s]
	}
	clear(o.parked)
	return left
}

// tellRoom wakes those who were told that there is none, when the head has moved.
func (o *order) tellRoom() {
	o.mu.Lock()
	o.settle()
	tell := o.full && o.at != spot{o.head, o.next}
	if tell {
		o.full = false
	}
	o.mu.Unlock()
	if tell {
		o.moved()
	}
}

// inOrder prints of a turn what is at the head, and parks the rest.
func (w *writer) inOrder(t *turn) {
	b := t.bytes
	at := 0
	for _, m := range t.marks {
		b = w.print(t, at, m.first, b) // the supervisor's own words
		at = m.last
		s := spot{m.place, m.index}
		if w.order.heads(s) {
			b = w.print(t, m.first, m.last, b)
			if m.row >= 0 {
				w.order.store.Printed(t.batch.Ref(m.row))
			}
			w.order.passed()
			w.advance()
			continue
		}
		var p parked
		p, b = w.setAside(t, m, b)
		w.order.park(s, p)
	}
	w.print(t, at, len(t.parts), b)
	w.advance()
	w.order.tellRoom()
}

// setAside keeps the output of an instance, of which b has the bytes.
func (w *writer) setAside(t *turn, m mark, b []byte) (parked, []byte) {
	p := parked{tag: m.tag}
	if m.row >= 0 {
		p.ref = t.batch.Ref(m.row)
		p.kept = p.ref.Stored()
	}
	var content [2]content
	for i := m.first; i < m.last; i++ {
		part := &t.parts[i]
		c := &content[part.to]
		switch {
		case part.last:
			p.line = append(p.line, b[:part.n]...)
		case part.large != nil:
			c.large = part.large
		default:
			c.b = append(c.b, b[:part.n]...)
		}
		b = b[part.n:]
	}
	if p.kept || content[toStdout].Len() == 0 && content[toStderr].Len() == 0 {
		return p, b
	}
	// Without a journal, or where that had no room for it.
	ref, err := w.order.store.Put(&content[toStdout], &content[toStderr])
	if err == nil && !ref.Stored() {
		p.over, err = w.order.beyond.put(&content[toStdout], &content[toStderr])
	}
	if err != nil {
		w.lose(toStdout, fmt.Errorf("output that waits for its turn: %w", cause(err)))
		return parked{}, b
	}
	p.ref, p.kept = ref, ref.Stored()
	return p, b
}

// content is a stream of an instance that is to be kept.
type content struct {
	b     []byte
	large printed
}

func (c *content) Len() int64 {
	if c.large != nil {
		return c.large.Len()
	}
	return int64(len(c.b))
}

func (c *content) WriteTo(w io.Writer) (int64, error) {
	if c.large != nil {
		return c.large.WriteTo(w)
	}
	n, err := w.Write(c.b)
	return int64(n), err
}

// advance prints what has waited for what was just printed.
func (w *writer) advance() {
	for {
		p, ok := w.order.pop()
		if !ok {
			return
		}
		w.printParked(p)
	}
}

func (w *writer) printParked(p parked) {
	if p.kept {
		stdout, stderr, err := w.order.store.Reader(p.ref)
		if err != nil {
			w.lose(toStdout, fmt.Errorf("output that has waited for its turn: %w", err))
			return
		}
		w.copy(toStdout, stdout, p.tag)
		w.behind(p)
		w.copy(toStderr, stderr, p.tag)
		w.order.store.Printed(p.ref)
		return
	}
	if p.over.kept() {
		stdout, stderr := w.order.beyond.reader(p.over)
		w.copy(toStdout, stdout, p.tag)
		w.behind(p)
		w.copy(toStderr, stderr, p.tag)
		w.order.beyond.printed()
		return
	}
	w.behind(p)
}

func (w *writer) behind(p parked) {
	if len(p.line) > 0 {
		w.part(&part{to: toStdout, tag: p.tag}, p.line)
	}
}

// copy prints what a reader gives.
func (w *writer) copy(to stream, r io.Reader, tag string) {
	if w.broken[to] || w.sinks[to] == nil {
		return
	}
	if w.block == nil {
		w.block = make([]byte, maxCopy)
	}
	defer w.prints(to)()
	sink := w.sinks[to]
	t := &tagger{w: sink, tag: tag}
	if tag != "" {
		sink = t
	}
	// Not io.Copy, which would make a buffer for each of many small outputs.
	for {
		n, err := r.Read(w.block)
		if n > 0 {
			if _, err := sink.Write(w.block[:n]); err != nil {
				w.lose(to, err)
				return
			}
		}
		switch err {
		case nil:
		case io.EOF:
			if err := t.end(); err != nil {
				w.lose(to, err)
			}
			return
		default:
			w.lose(to, err)
			return
		}
	}
}

// end prints what is left when no more comes.
func (w *writer) end() {
	if w.order == nil {
		return
	}
	for _, p := range w.order.rest() {
		w.printParked(p)
	}
	w.order.beyond.close()
}
