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

// put adds the output of an instance, and behind it the line of its result, which
// is ended.
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
	_, t.err = out.WriteTo(end)
	if t.err == nil {
		_, t.err = end.Write(end.missing())
	}
	if t.err == nil {
		_, t.err = end.Write(line)
	}
	t.size += end.n
	if t.err != nil {
		t.err = fmt.Errorf("output that is kept: %w", cause(t.err))
	}
}

// lineEnd remembers how much is written through it, and how that ends.
type lineEnd struct {
	w    io.Writer
	n    int64 // bytes
	last byte
}

func (l *lineEnd) Write(b []byte) (int, error) {
	if len(b) > 0 {
		l.last = b[len(b)-1]
	}
	n, err := l.w.Write(b)
	l.n += int64(n)
	return n, err
}

func (l *lineEnd) missing() []byte {
	if l.n > 0 && l.last != '\n' {
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
