package report

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/feac4032/multiproc/internal/text"
)

// Bounds of the header of a table.
const (
	maxColumns     = 4096
	maxColumnBytes = 1 << 20 // of all names
)

// CSV writes a table as RFC 4180 has it, with a header. Which columns there are is
// known with the last row, so rows wait in a file without a name, and the table is
// written at Close. Its memory is that of one row and of the columns' names.
type CSV struct {
	place   place
	spool   *spool
	w       *bufio.Writer
	columns []column
	ids     map[string]int
	names   int // bytes
	rows    int64
	buf     []byte
	err     error
}

type column struct {
	name  string
	group group
}

// OpenCSV begins a table. What stands at path stays until Close. It fails if the
// table could not be written.
func OpenCSV(path string) (*CSV, error) {
	p, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	s, err := p.spool()
	if err != nil {
		return nil, err
	}
	t := &CSV{place: p, spool: s, w: bufio.NewWriterSize(s, 64<<10), ids: map[string]int{}}
	for _, name := range fixed {
		t.column(groupFixed, name)
	}
	return t, nil
}

// column gives the number of a column, which is made when it is new.
func (t *CSV) column(g group, name string) (int, error) {
	if id, ok := t.ids[name]; ok {
		return id, nil
	}
	if len(t.columns) == maxColumns {
		return 0, fmt.Errorf("column %s: a table has at most %d columns: write the results as .jsonl", text.Plain(name, 100), maxColumns)
	}
	if t.names += len(name); t.names > maxColumnBytes {
		return 0, fmt.Errorf("column %s: the names of a table's columns have at most %d bytes: write the results as .jsonl", text.Plain(name, 100), maxColumnBytes)
	}
	id := len(t.columns)
	t.ids[name] = id
	t.columns = append(t.columns, column{name, g})
	return id, nil
}

// Add puts a row aside. It fails if the table would have more than 4,096 columns.
func (t *CSV) Add(r *Row) error {
	if t.err != nil {
		return t.err
	}
	b := t.buf[:0]
	err := r.cells(func(g group, name string, c cell) error {
		id, err := t.column(g, name)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", t.place.path, r.Label, err)
		}
		b = binary.AppendUvarint(b, uint64(id))
		// The value's length is known behind it: its place is taken in full.
		at := len(b)
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
		var some bool
		if b, some = c.appendText(b); !some {
			b = b[:at] // as if there were no such value
			b = binary.LittleEndian.AppendUint64(b, absent)
			return nil
		}
		binary.LittleEndian.PutUint64(b[at:], uint64(len(b)-at-8))
		return nil
	})
	if err == nil {
		var head [8]byte
		binary.LittleEndian.PutUint64(head[:], uint64(len(b)))
		t.w.Write(head[:])
		_, err = t.w.Write(b)
		err = t.place.fault(err)
		t.rows++
	}
	if t.buf = b; cap(b) > maxKept {
		t.buf = nil
	}
	t.err = err
	return err
}

// absent is the length of a value that is null.
const absent = ^uint64(0)

// Close writes the table.
func (t *CSV) Close(s *Summary) error {
	if t.spool == nil {
		return nil
	}
	spool, err := t.spool, t.err
	t.spool, t.err = nil, ErrClosed
	defer spool.discard()
	if err != nil || s == nil {
		return err
	}
	if err := t.w.Flush(); err != nil {
		return t.place.fault(err)
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return t.place.fault(err)
	}
	return t.place.replace(func(f *os.File) error { return t.write(f, spool) })
}

// write writes the header and the rows.
func (t *CSV) write(dst io.Writer, src io.Reader) error {
	w := bufio.NewWriterSize(dst, 64<<10)
	in := bufio.NewReaderSize(src, 64<<10)
	place := t.order()
	for i, id := range place {
		if i > 0 {
			w.WriteByte(',')
		}
		writeQuoted(w, []byte(t.columns[id].name))
	}
	w.WriteString("\r\n")
	cells := make([][]byte, len(t.columns)) // nil = no value
	var head [8]byte
	var row []byte
	for range t.rows {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		n := int(binary.LittleEndian.Uint64(head[:]))
		if cap(row) < n || cap(row) > maxKept {
			row = make([]byte, n)
		}
		row = row[:n]
		if _, err := io.ReadFull(in, row); err != nil {
			return err
		}
		clear(cells)
		for b := row; len(b) > 0; {
			id, k := binary.Uvarint(b)
			n := binary.LittleEndian.Uint64(b[k:])
			if b = b[k+8:]; n != absent {
				cells[id], b = b[:n:n], b[n:]
			}
		}
		for i, id := range place {
			if i > 0 {
				w.WriteByte(',')
			}
			if cells[id] != nil {
				writeQuoted(w, cells[id])
			}
		}
		if _, err := w.WriteString("\r\n"); err != nil {
			return err
		}
	}
	return w.Flush()
}

// order gives the columns as they stand in the table: group by group, in each as
// they first appeared.
func (t *CSV) order() []int {
	place := make([]int, 0, len(t.columns))
	for g := range groups {
		for id, c := range t.columns {
			if c.group == g {
				place = append(place, id)
			}
		}
	}
	return place
}

// writeQuoted writes a value, in quotes where that is needed. A text without
// characters is in quotes too: nothing at all is no value.
func writeQuoted(w *bufio.Writer, b []byte) {
	// Some readers trim spaces.
	if len(b) > 0 && !bytes.ContainsAny(b, "\",\r\n") && b[0] > ' ' && b[len(b)-1] > ' ' {
		w.Write(b)
		return
	}
	w.WriteByte('"')
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			break
		}
		w.Write(b[:i+1])
		w.WriteByte('"')
		b = b[i+1:]
	}
	w.Write(b)
	w.WriteByte('"')
}
