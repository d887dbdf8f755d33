package batch

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/text"
)

// table yields the records of comma-separated values (RFC 4180) as maps by the
// names that the first one gives. A record with more or fewer fields is a bad
// item; what cannot be told apart any more ends the source.
type table struct {
	in    *records
	limit *allowance
	csv   *csv.Reader
	names []string // nil: not read yet
}

func newTable(in *records) *table {
	t := &table{in: in, limit: &allowance{}}
	// It reads in our buffer's size steps, and what is in there needs no waiting.
	t.limit.r = in.r
	t.csv = csv.NewReader(t.limit)
	t.csv.FieldsPerRecord = -1
	t.csv.ReuseRecord = true
	return t
}

// allowance bounds what may be read for one record: without it an open quote
// would have the whole file in memory.
type allowance struct {
	r    io.Reader
	left int
}

var errLongRecord = fmt.Errorf("record is longer than %d MiB; is a quote not closed?", MaxItem>>20)

func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, errLongRecord
	}
	n, err := a.r.Read(p)
	a.left -= n
	return n, err
}

func (t *table) close() { t.in.close() }

func (t *table) more(dst []item) ([]item, error) {
	if t.names == nil {
		if err := t.header(); err != nil {
			return dst, err
		}
	}
	size := 0
	for n := 0; n < batchItems && size < batchBytes; n++ {
		if n > 0 && t.in.r.Buffered() == 0 {
			return dst, nil
		}
		record, err := t.next()
		if err != nil {
			return dst, err
		}
		if len(record) != len(t.names) {
			line, _ := t.csv.FieldPos(0)
			dst = append(dst, item{err: fmt.Errorf("%s:%d: %d %s, the first record names %d",
				t.in.name, line, len(record), text.Plural(int64(len(record)), "field", "fields"), len(t.names))})
			continue
		}
		for _, value := range record {
			size += len(value)
		}
		dst = append(dst, item{value: config.CSVItem(t.names, record)})
	}
	return dst, nil
}

func (t *table) next() ([]string, error) {
	t.limit.left = MaxItem
	record, err := t.csv.Read()
	var bad *csv.ParseError
	switch {
	case err == nil || err == io.EOF:
	case errors.Is(err, errLongRecord):
		err = fmt.Errorf("%s: %w", t.in.name, errLongRecord)
	case errors.As(err, &bad):
		err = fmt.Errorf("%s:%d:%d: %w", t.in.name, bad.Line, bad.Column, bad.Err)
	default:
		err = fmt.Errorf("%s: %w", t.in.name, cause(err))
	}
	return record, err
}

// header reads the first record.
func (t *table) header() error {
	if b, err := t.in.r.Peek(3); err == nil && string(b) == "\ufeff" {
		t.in.r.Discard(3)
	}
	record, err := t.next()
	if err == io.EOF {
		return fmt.Errorf("%s: is empty; its first record names the fields", t.in.name)
	}
	if err != nil {
		return err
	}
	names, err := config.CSVHeader(slices.Clone(record))
	if err != nil {
		return fmt.Errorf("%s:1: %w", t.in.name, err)
	}
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("%s:1: field %d has no name", t.in.name, i+1)
		}
	}
	t.names = names
	return nil
}
