package batch

import (
	"bufio"
	"fmt"
	"io"
	"sync"
)

// tap keeps what the ok instances of a job have printed, one after the other in
// the order in which they ended, for the jobs that read it by `lines_of` or
// `jsonl_of` when that one has ended. An unfinished last line is ended, so that
// the lines of two instances are never one.
type tap struct {
	dir string

	mu   sync.Mutex
	file *spill
	w    *bufio.Writer
	size int64
	err  error
}

// printed is what an instance has written: a pool.Output, or what a journal kept.
type printed interface {
	Len() int64
	WriteTo(w io.Writer) (int64, error)
}

// put adds the output of an instance, and behind it the line of its result.
func (t *tap) put(out printed, line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil || out.Len() == 0 && len(line) == 0 {
		return
	}
	if t.file == nil {
		if t.file, t.err = newSpill(t.dir); t.err != nil {
			return
		}
		t.w = bufio.NewWriterSize(t.file.f, 64<<10)
	}
	end := &lineEnd{w: t.w}
	n, err := out.WriteTo(end)
	t.size += n
	for _, b := range [][]byte{line, end.missing()} {
		if err == nil {
			n, err := end.Write(b)
			t.size += int64(n)
			t.err = err
		}
	}
	if err != nil {
		t.err = err
	}
	if t.err != nil {
		t.err = fmt.Errorf("output that is kept: %w", cause(t.err))
	}
}

// lineEnd remembers how what is written through it ends.
type lineEnd struct {
	w    io.Writer
	last byte
	some bool
}

func (l *lineEnd) Write(b []byte) (int, error) {
	if len(b) > 0 {
		l.last, l.some = b[len(b)-1], true
	}
	return l.w.Write(b)
}

func (l *lineEnd) missing() []byte {
	if l.some && l.last != '\n' {
		return []byte{'\n'}
	}
	return nil
}

// open reads what there is. Nothing is put any more.
func (t *tap) open() (io.ReadCloser, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil && t.w != nil {
		t.err = t.w.Flush()
	}
	if t.err != nil || t.file == nil {
		return io.NopCloser(eof{}), t.err
	}
	return t.file.from(t.size), nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

func (t *tap) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.file.close()
	t.file, t.w = nil, nil
}
