package report

import (
	"os"

	"github.com/feac4032/multiproc/internal/text"
)

// JSONL writes a line of JSON for each instance as it ends. Each line is written at
// once, so that a reader who follows the file never waits for one, and a run that
// is killed leaves whole lines.
type JSONL struct {
	place place
	file  *os.File
	buf   []byte
	err   error
}

// maxKept is the largest buffer that is kept from row to row, in bytes.
const maxKept = 1 << 20

// OpenJSONL begins the file, which is cut off if it exists. It blocks while path is
// a pipe that nobody reads.
func OpenJSONL(path string) (*JSONL, error) {
	p, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	f, err := p.stream()
	if err != nil {
		return nil, err
	}
	return &JSONL{place: p, file: f}, nil
}

// Add writes a row.
func (w *JSONL) Add(r *Row) error {
	if w.err != nil {
		return w.err
	}
	o := &text.Object{B: w.buf[:0]}
	o.Open()
	r.cells(func(_ group, name string, c cell) error { c.appendJSON(o, name); return nil })
	b := append(o.Close(), '\n')
	_, err := w.file.Write(b)
	w.err = w.place.fault(err)
	if w.buf = b; cap(b) > maxKept {
		w.buf = nil
	}
	return w.err
}

// Close closes the file.
func (w *JSONL) Close(*Summary) error {
	if w.file == nil {
		return nil
	}
	f, err := w.file, w.err
	w.file, w.err = nil, ErrClosed
	if !standard(f) {
		if cerr := f.Close(); err == nil {
			err = w.place.fault(cerr)
		}
	}
	return err
}
