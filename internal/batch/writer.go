package batch

import (
	"bytes"
	"io"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// writer is the goroutine's side of a ledger: it alone writes.
type writer struct {
	*ledger
	broken [4]bool
	block  []byte // what is copied of an output at a time
}

// turn commits, prints and tells what was collected.
func (w *writer) turn(t *turn) {
	ok := w.commitRows(t)
	w.isRecorded()
	if !ok {
		w.ownWords(t)
		return
	}
	if w.order == nil {
		w.print(t, 0, len(t.parts), t.bytes)
	} else {
		w.inOrder(t)
	}
	if w.journal != nil && w.order == nil {
		w.journal.PrintedBatch(&t.batch)
	}
	for i := range t.tales {
		w.tell(&t.tales[i])
	}
	if len(t.events) > 0 && w.sinks[toEvents] != nil && !w.broken[toEvents] {
		if _, err := w.sinks[toEvents].Write(t.events); err != nil {
			w.lose(toEvents, err)
		}
	}
}

// commitRows reports whether all that the turn records is recorded.
func (w *writer) commitRows(t *turn) bool {
	switch {
	case w.lost:
		return t.batch.Len() == 0
	case w.journal == nil || t.batch.Len() == 0 && t.tries == 0:
		return true
	}
	if err := w.journal.Commit(&t.batch); err != nil {
		w.lost = true
		w.onBroken(err)
		return false
	}
	return true
}

// ownWords writes of a turn what is the supervisor's own.
func (w *writer) ownWords(t *turn) {
	rest := t.bytes
	for i := range t.parts {
		p := &t.parts[i]
		if p.own {
			w.part(p, rest[:p.n])
		}
		rest = rest[p.n:]
	}
}

// print writes some parts, of which b has the bytes, and returns what is behind
// them.
func (w *writer) print(t *turn, first, last int, b []byte) []byte {
	for i := first; i < last; i++ {
		p := &t.parts[i]
		w.part(p, b[:p.n])
		b = b[p.n:]
	}
	return b
}

func (w *writer) part(p *part, b []byte) {
	if w.broken[p.to] || w.sinks[p.to] == nil || p.large != nil && w.givesUp() {
		return
	}
	sink := w.sinks[p.to]
	tagged := &tagger{w: sink, tag: p.tag}
	if p.tag != "" {
		sink = tagged
	}
	defer w.prints(p.to)()
	var err error
	if p.large != nil {
		_, err = p.large.WriteTo(sink)
	} else {
		_, err = sink.Write(b)
	}
	if err == nil {
		err = tagged.end()
	}
	if err != nil {
		w.broken[p.to] = true
		if !p.own {
			w.onLost(p.to, err)
		}
	}
}

// prints notes that a write goes on, until what it returns is called.
func (w *writer) prints(to stream) (done func()) {
	if to == toStdout {
		w.printing.Store(time.Now().UnixNano())
	}
	return w.printed
}

func (w *writer) printed() { w.printing.Store(0) }

func (w *writer) lose(to stream, err error) {
	w.broken[to] = true
	w.onLost(to, err)
}

// tagger puts a tag and a tab in front of each line (GNU parallel: --tag), and
// ends the last one.
type tagger struct {
	w    io.Writer
	tag  string
	open bool // within a line
	buf  []byte
}

func (t *tagger) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if !t.open {
			t.buf = append(append(t.buf, t.tag...), '\t')
		}
		line, after, ended := bytes.Cut(rest, newline)
		t.buf = append(t.buf, line...)
		if t.open = !ended; ended {
			t.buf = append(t.buf, '\n')
		}
		rest = after
	}
	_, err := t.w.Write(t.buf)
	t.buf = t.buf[:0]
	return len(p), err
}

func (t *tagger) end() error {
	if !t.open {
		return nil
	}
	_, err := t.w.Write(newline)
	return err
}

var newline = []byte{'\n'}

var _ printed = (*pool.Output)(nil)
