package batch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/feac4032/multiproc/config"
)

// MaxItem bounds one item of a file of lines, records or JSON values, in bytes.
// A longer one ends its source.
const MaxItem = 16 << 20

// A batch of items is handed over when it has so many items or bytes, or when
// the next item would have to be waited for.
const (
	batchItems = 256
	batchBytes = 256 << 10
)

// item is one value of a foreach, or why there is none.
type item struct {
	value config.Value
	err   error
}

// size estimates the memory an item holds.
func (it *item) size() int64 { return int64(len(it.value.Text())) }

// source yields the items of a foreach in order.
type source interface {
	// more appends a batch of items to dst. With io.EOF the batch is the last;
	// any other error says why the rest cannot be read. It may block on input.
	more(dst []item) ([]item, error)
	close()
}

// openSource opens what a foreach names. stdin stands for the path "-", and tap is
// what the job that it names has printed.
func openSource(f *config.Foreach, dir string, stdin io.Reader, tap *tap) (source, error) {
	switch f.Source {
	case config.FromList:
		return &list{items: f.List}, nil
	case config.FromRange:
		return &span{next: f.Lo, last: f.Hi}, nil
	case config.FromGlob:
		return openGlob(dir, f.Patterns, f.EmptyOK)
	}
	if tap != nil {
		in, err := tap.open()
		if err != nil {
			return nil, err
		}
		return openRecords(f.Source, in, "the output of "+f.Of.ID)
	}
	in, err := openInput(f, dir, stdin)
	if err != nil {
		return nil, err
	}
	return openRecords(f.Source, in, f.Path)
}

func openRecords(from config.Source, in io.ReadCloser, name string) (source, error) {
	r := &records{f: in, r: bufio.NewReaderSize(in, 64<<10), name: name, sep: '\n'}
	switch from {
	case config.FromCSV:
		return newTable(r), nil
	case config.FromNul:
		r.sep = 0
		r.parse = func(b []byte) item { return item{value: config.String(string(b))} }
	case config.FromLines, config.FromLinesOf:
		r.parse = func(b []byte) item { return item{value: config.String(string(trimCR(b)))} }
	default:
		r.parse = r.json
	}
	return r, nil
}

func openInput(f *config.Foreach, dir string, stdin io.Reader) (io.ReadCloser, error) {
	if f.Path == config.StdinPath {
		return io.NopCloser(stdin), nil
	}
	file, err := os.Open(resolve(dir, f.Path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, cause(err))
	}
	if st, err := file.Stat(); err == nil && st.IsDir() {
		file.Close()
		return nil, fmt.Errorf("%s: is a directory", f.Path)
	}
	return file, nil
}

// resolve makes a path of the job file relative to the file's folder.
func resolve(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// cause leaves away the path that the caller names better.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// trimCR makes lines that end in CR LF equal to those that end in LF.
func trimCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}

// list yields the values that the file itself holds.
type list struct{ items []config.Value }

func (l *list) more(dst []item) ([]item, error) {
	n := min(len(l.items), batchItems)
	for _, v := range l.items[:n] {
		dst = append(dst, item{value: v})
	}
	l.items = l.items[n:]
	if len(l.items) == 0 {
		return dst, io.EOF
	}
	return dst, nil
}

func (*list) close() {}

// span yields integers, both ends included.
type span struct{ next, last int64 }

func (s *span) more(dst []item) ([]item, error) {
	for range batchItems {
		dst = append(dst, item{value: config.IntValue(s.next)})
		if s.next == s.last { // compared before it is counted up: last may be the largest int64
			return dst, io.EOF
		}
		s.next++
	}
	return dst, nil
}

func (*span) close() {}

// records yields what a separator ends; the last record may lack it.
type records struct {
	f     io.Closer
	r     *bufio.Reader
	name  string
	sep   byte
	parse func([]byte) item
	long  []byte // a record that does not fit the buffer, so far
	count int64
}

func (r *records) close() { r.f.Close() }

func (r *records) more(dst []item) ([]item, error) {
	size := 0
	for n := 0; n < batchItems && size < batchBytes; n++ {
		// Whoever feeds a pipe slowly wants each line to run when it comes.
		if n > 0 && r.r.Buffered() == 0 {
			return dst, nil
		}
		b, err := r.read()
		if err != nil && (err != io.EOF || len(b) == 0) {
			return dst, err
		}
		size += len(b)
		r.count++
		dst = append(dst, r.parse(b))
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// read returns the next record without its separator. The bytes are valid until
// the next call. io.EOF comes with the last record if it has no separator, else
// with none.
func (r *records) read() ([]byte, error) {
	r.long = r.long[:0]
	for {
		b, err := r.r.ReadSlice(r.sep)
		if len(r.long)+len(b) > MaxItem {
			return nil, fmt.Errorf("%s: item %d is longer than %d MiB", r.name, r.count+1, MaxItem>>20)
		}
		switch err {
		case nil:
			if len(r.long) == 0 {
				return b[:len(b)-1], nil
			}
			r.long = append(r.long, b[:len(b)-1]...)
			return r.long, nil
		case bufio.ErrBufferFull:
			r.long = append(r.long, b...)
		case io.EOF:
			if len(r.long) == 0 {
				return b, io.EOF
			}
			r.long = append(r.long, b...)
			return r.long, io.EOF
		default:
			return nil, fmt.Errorf("%s: %w", r.name, cause(err))
		}
	}
}

func (r *records) json(b []byte) item {
	v, err := config.ParseJSON(b)
	if err == nil {
		return item{value: v}
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return item{err: fmt.Errorf("%s:%d: an empty line is no JSON value", r.name, r.count)}
	}
	return item{err: fmt.Errorf("%s:%d: %w: %.60q", r.name, r.count, err, b)}
}
