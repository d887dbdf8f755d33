package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// file is what segments need of one.
type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// shelf is where segment files are kept.
type shelf interface {
	create(number int32) (file, error)
	// open opens a segment again; nil, nil when the shelf has no names and so
	// keeps every file open.
	open(number int32) (file, error)
	remove(number int32) error
	// sync makes the names durable.
	sync() error
}

// maxSegment bounds the numbers of segments.
const maxSegment = 1 << 30

const segmentSuffix = ".seg"

func segmentName(number int32) string { return fmt.Sprintf("%06d%s", number, segmentSuffix) }

// segmentNumber is the reverse of segmentName; 0 for any other name.
func segmentNumber(name string) int32 {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	n, err := strconv.ParseInt(digits, 10, 32)
	if !ok || err != nil || n < 1 || n > maxSegment || segmentName(int32(n)) != name {
		return 0
	}
	return int32(n)
}

// diskFile is a file whose Sync does without the times of a file.
type diskFile struct{ *os.File }

func (f diskFile) Sync() error { return datasync(f.File) }

// folderShelf keeps segments under their names.
type folderShelf struct{ root *os.Root }

func (s folderShelf) create(number int32) (file, error) {
	f, err := openRegular(s.root, segmentName(number), os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (s folderShelf) open(number int32) (file, error) {
	f, err := openRegular(s.root, segmentName(number), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (s folderShelf) remove(number int32) error {
	err := s.root.Remove(segmentName(number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s folderShelf) sync() error { return syncFolder(s.root) }

// list gives the numbers and sizes of the segments that are there.
func (s folderShelf) list() (map[int32]int64, error) {
	d, err := s.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	found := map[int32]int64{}
	for {
		names, err := d.Readdirnames(256)
		for _, name := range names {
			if n := segmentNumber(name); n > 0 {
				if info, err := s.root.Lstat(name); err == nil && info.Mode().IsRegular() {
					found[n] = info.Size()
				}
			}
		}
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// hiddenShelf keeps segments in files without a name, which end with their
// process.
type hiddenShelf struct{ dir string }

func (s hiddenShelf) create(int32) (file, error) {
	f, err := unnamed(s.dir)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (hiddenShelf) open(int32) (file, error) { return nil, nil }
func (hiddenShelf) remove(int32) error       { return nil }
func (hiddenShelf) sync() error              { return nil }

// maxOpen bounds the segments that are kept open for readers.
const maxOpen = 16

// reads opens segments as they are read, and keeps the last maxOpen of them.
type reads struct {
	mu     sync.Mutex
	shelf  shelf
	open   map[int32]file
	recent []int32 // the last one last
	closed bool
}

func (r *reads) get(number int32) (file, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if f := r.open[number]; f != nil {
		return f, nil
	}
	f, err := r.shelf.open(number)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, ErrGone
	}
	if len(r.recent) == maxOpen {
		r.open[r.recent[0]].Close()
		delete(r.open, r.recent[0])
		r.recent = append(r.recent[:0], r.recent[1:]...)
	}
	if r.open == nil {
		r.open = map[int32]file{}
	}
	r.open[number] = f
	r.recent = append(r.recent, number)
	return f, nil
}

func (r *reads) drop(number int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.open[number]; f != nil {
		f.Close()
		delete(r.open, number)
		for i, n := range r.recent {
			if n == number {
				r.recent = append(r.recent[:i], r.recent[i+1:]...)
				break
			}
		}
	}
}

func (r *reads) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.open {
		f.Close()
	}
	r.open, r.recent, r.closed = nil, nil, true
}

// part reads a segment. The file is looked up for each read, so that a reader
// that is slow keeps none open.
type part struct {
	number int32
	get    func(number int32) (file, error)
}

func (p part) ReadAt(b []byte, off int64) (int, error) {
	for range 8 {
		f, err := p.get(p.number)
		if err != nil {
			return 0, err
		}
		n, err := f.ReadAt(b, off)
		if n < len(b) && errors.Is(err, os.ErrClosed) {
			continue // others have pushed it out; it is opened again
		}
		if n < len(b) && err == io.EOF {
			err = fmt.Errorf("segment %s ends within the output: %w", segmentName(p.number), io.ErrUnexpectedEOF)
		}
		return n, err
	}
	return 0, ErrGone
}

// read gives the two outputs of a ref.
func read(ref Ref, get func(int32) (file, error)) (stdout, stderr *io.SectionReader, err error) {
	if !ref.Stored() || ref.Offset < 0 || ref.Stdout < 0 || ref.Stderr < 0 {
		return nil, nil, ErrGone
	}
	if ref.Segment != 0 {
		if _, err := get(ref.Segment); err != nil {
			return nil, nil, err
		}
	}
	p := part{ref.Segment, get}
	return io.NewSectionReader(p, ref.Offset, ref.Stdout), io.NewSectionReader(p, ref.Offset+ref.Stdout, ref.Stderr), nil
}

// unnamedIn makes a file and takes its name away.
func unnamedIn(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".multiproc-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", filepath.Base(f.Name()), err)
	}
	return f, nil
}
