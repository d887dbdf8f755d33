package journal

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func put(t testing.TB, o *Outputs, stdout, stderr string) Ref {
	t.Helper()
	ref, err := o.Put(Bytes(stdout), Bytes(stderr))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func get(t testing.TB, o *Outputs, ref Ref) string {
	t.Helper()
	a, b := outputOf(t, func() (*io.SectionReader, *io.SectionReader, error) { return o.Reader(ref) })
	return a + "|" + b
}

func TestOutputs_WorkWithoutAJournalAndLeaveNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, err := OpenOutputs(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("large", 20_000) // more than a segment takes
	var refs []Ref
	want := []string{"a|b", "|", large + "|x", "c|", "|d"}
	for _, w := range want {
		a, b, _ := strings.Cut(w, "|")
		refs = append(refs, put(t, o, a, b))
	}
	for i, ref := range refs {
		if got := get(t, o, ref); got != want[i] {
			t.Errorf("output %d is %.20q, want %.20q", i, got, want[i])
		}
	}
	if refs[2].Segment == refs[0].Segment || refs[3].Segment != refs[0].Segment {
		t.Errorf("refs are %v", refs)
	}
	if err := o.Sync(); err != nil {
		t.Fatal(err)
	}
	if names, _ := filepath.Glob(dir + "/*"); len(names) > 0 {
		t.Errorf("files are %v", names)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.Reader(refs[0]); !errors.Is(err, ErrClosed) {
		t.Errorf("error is %v", err)
	}
	if _, err := o.Put(Bytes("x"), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("error is %v", err)
	}
}

func TestOutputs_LetTheOldestGoThatWerePrinted(t *testing.T) {
	t.Parallel()
	o, err := OpenOutputs(t.TempDir(), 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	kib := strings.Repeat("x", 1<<10) // fills a segment
	var refs []Ref
	for range 64 {
		refs = append(refs, put(t, o, kib, ""))
	}
	if o.Room(1) {
		t.Error("there is room, though nothing was printed")
	}
	if ref := put(t, o, "y", "zz"); ref.Stored() || ref.Len() != 3 {
		t.Errorf("ref is %+v", ref)
	}
	o.Printed(refs[1])
	o.Printed(refs[2])
	if !o.Room(2<<10) || o.Room(2<<10+1) {
		t.Error("there is room for something else than 2 KiB")
	}
	late, _, err := o.Reader(refs[1])
	if err != nil {
		t.Fatal(err)
	}
	put(t, o, kib, "")
	if _, _, err := o.Reader(refs[1]); !errors.Is(err, ErrGone) {
		t.Errorf("error is %v", err)
	}
	if _, err := io.ReadAll(late); !errors.Is(err, ErrGone) {
		t.Errorf("error of a reader from before is %v", err)
	}
	if got := get(t, o, refs[2]); got != kib+"|" {
		t.Error("the second one went as well")
	}
	if ref := put(t, o, strings.Repeat("x", 64<<10+1), ""); ref.Stored() {
		t.Error("more than the quota was stored")
	}
}

func TestOutputs_PrintedOnesMakeRoomInTheSegmentThatIsWritten(t *testing.T) {
	t.Parallel()
	o, err := OpenOutputs(t.TempDir(), 100) // segments of 1 byte
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for i := range 500 {
		s := strings.Repeat("x", i%100+1)
		ref := put(t, o, s, "")
		if !ref.Stored() || get(t, o, ref) != s+"|" {
			t.Fatalf("output %d was not stored", i)
		}
		o.Printed(ref)
	}
	if o.total > 100 {
		t.Errorf("%d bytes are kept", o.total)
	}
}

// faultShelf keeps segments in memory. fail is asked before each step.
type faultShelf struct {
	mu    sync.Mutex
	files map[int32]*faultFile
	fail  func(op string) (short bool, err error)
}

type faultFile struct {
	shelf *faultShelf
	b     []byte
}

func newFaultShelf() *faultShelf {
	return &faultShelf{files: map[int32]*faultFile{}, fail: func(string) (bool, error) { return false, nil }}
}

func (s *faultShelf) create(n int32) (file, error) {
	if _, err := s.fail("create"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[n] = &faultFile{shelf: s}
	return s.files[n], nil
}

func (s *faultShelf) open(n int32) (file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[n]; f != nil {
		return f, nil
	}
	return nil, ErrGone
}

func (s *faultShelf) remove(n int32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, n)
	return nil
}

func (s *faultShelf) sync() error { _, err := s.fail("names"); return err }

func (f *faultFile) WriteAt(b []byte, off int64) (int, error) {
	short, err := f.shelf.fail("write")
	n := len(b)
	if short || err != nil {
		n /= 2
	}
	if need := int(off) + n; need > len(f.b) {
		f.b = append(f.b, make([]byte, need-len(f.b))...)
	}
	copy(f.b[off:], b[:n])
	return n, err
}

func (f *faultFile) ReadAt(b []byte, off int64) (int, error) {
	return bytes.NewReader(f.b).ReadAt(b, off)
}
func (f *faultFile) Truncate(n int64) error { f.b = f.b[:min(int(n), len(f.b))]; return nil }
func (f *faultFile) Sync() error            { _, err := f.shelf.fail("sync"); return err }
func (f *faultFile) Close() error           { return nil }

func TestRun_FaultsOfTheDiskLoseOnlyTheirOwnCommit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op    string
		short bool
		err   error
		want  error
	}{
		{"create", false, syscall.ENOSPC, syscall.ENOSPC},
		{"write", false, syscall.ENOSPC, syscall.ENOSPC},
		{"write", true, nil, io.ErrShortWrite},
		{"sync", false, syscall.EIO, syscall.EIO},
		{"names", false, syscall.EIO, syscall.EIO},
	} {
		t.Run(c.op, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			info := testInfo("r1")
			r := create(t, s, info)
			shelf := newFaultShelf()
			r.outputs = newOutputs(shelf, 64<<10, true)
			var b Batch
			add := func(from, to int) {
				b.Reset()
				for i := from; i < to; i++ {
					row := okRow(i)
					b.Add(&row, bytes.Repeat([]byte{byte(i)}, 700), nil)
				}
			}
			add(0, 2)
			commit(t, r, &b)
			kept := []Ref{b.Ref(0), b.Ref(1)}
			shelf.fail = func(op string) (bool, error) {
				if op == c.op {
					return c.short, c.err
				}
				return false, nil
			}
			add(2, 6)
			err := r.Commit(&b)
			var lost *LostError
			if !errors.As(err, &lost) || !errors.Is(err, c.want) || lost.Label != "hash#2" || lost.Lost != 4 {
				t.Fatalf("error is %v", err)
			}
			shelf.fail = func(string) (bool, error) { return false, nil }
			for i, ref := range kept {
				if got := get(t, r.Outputs(), ref); got != strings.Repeat(string([]byte{byte(i)}), 700)+"|" {
					t.Errorf("output %d is not what it was", i)
				}
			}
			if n := r.outputs.total; n != 1400 {
				t.Errorf("%d bytes are kept", n)
			}
			commit(t, r, &b) // once more
			if got := get(t, r.Outputs(), b.Ref(3)); got != strings.Repeat("\x05", 700)+"|" {
				t.Errorf("output is %q", got)
			}
			rows := rowsOf(t, view(t, s, "r1"), Filter{})
			for i := range rows {
				if rows[i].Index != int64(i) {
					t.Errorf("row %d is of %d", i, rows[i].Index)
				}
			}
			if len(rows) != 6 {
				t.Errorf("%d rows", len(rows))
			}
		})
	}
}

// liar says that it is longer, or shorter, than it is.
type liar struct {
	Bytes
	says int64
}

func (l liar) Len() int64 { return l.says }

func TestOutputs_RefuseContentOfAnotherLength(t *testing.T) {
	t.Parallel()
	o, err := OpenOutputs(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	first := put(t, o, "first", "")
	for _, says := range []int64{2, 4, 100_000} {
		if ref, err := o.Put(liar{Bytes("abc"), says}, nil); err == nil {
			t.Errorf("3 bytes that say %d are %+v", says, ref)
		}
	}
	if got := get(t, o, put(t, o, "next", "")); got != "next|" {
		t.Errorf("output is %q", got)
	}
	if got := get(t, o, first); got != "first|" || o.total != 9 {
		t.Errorf("output is %q, of %d bytes", got, o.total)
	}
}

func TestRun_RecordsWhatBecomesOfSegments(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	info := testInfo("r1")
	info.Quota = 64 << 10
	r := create(t, s, info)
	var b Batch
	for i := range 70 {
		b.Reset()
		row := okRow(i)
		b.Add(&row, make([]byte, 1<<10), nil)
		commit(t, r, &b)
		r.PrintedBatch(&b)
	}
	if err := r.End(End{Time: begin, Totals: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	v := view(t, s, "r1")
	got := map[string]int{}
	rows, err := v.db.conn.QueryContext(background, "SELECT file, bytes, state FROM segment")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name, state string
		var n int64
		if err := rows.Scan(&name, &n, &state); err != nil {
			t.Fatal(err)
		}
		got[state]++
		info, err := os.Stat(filepath.Join(r.Dir(), "outputs", name))
		if errors.Is(err, fs.ErrNotExist) != (state == segmentGone) || err == nil && info.Size() != n && state == segmentSealed {
			t.Errorf("%s of %d bytes is %s: %v", name, n, state, err)
		}
	}
	rows.Close()
	if got[segmentGone] != 6 || got[segmentSealed]+got[segmentOpen] != 64 {
		t.Errorf("segments are %v", got)
	}
}
