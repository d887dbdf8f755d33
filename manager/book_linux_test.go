package manager_test

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// book is memory in a file, in which a party notes by itself what it has done, so
// that this is known of a dead one too. A party has a page; what has not happened
// to the end is begun and not done.
type book struct {
	path string
	mem  []byte
}

const (
	bookPages = 256
	pageCells = 1 << 16 // of which most are never touched
	bookBytes = 8 * bookPages * pageCells
)

func openBook(path string) (*book, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(bookBytes); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, bookBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return &book{path, mem}, err
}

// books are those that this process has open.
var books sync.Map // of *book, by path

func newBook(t testing.TB) *book {
	t.Helper()
	b, err := openBook(filepath.Join(t.TempDir(), "book"))
	if err != nil {
		t.Fatal(err)
	}
	books.Store(b.path, b)
	t.Cleanup(func() {
		books.Delete(b.path)
		if err := unix.Munmap(b.mem); err != nil {
			t.Error(err)
		}
	})
	return b
}

// bookAt opens a book for a party, whose process keeps it.
func bookAt(path string) (*book, error) {
	if b, ok := books.Load(path); ok {
		return b.(*book), nil
	}
	b, err := openBook(path)
	if err == nil {
		books.Store(path, b)
	}
	return b, err
}

// page is what one party has done with one object.
type page []atomic.Uint64

func (b *book) page(n int) page {
	cells := unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&b.mem[0])), bookPages*pageCells)
	return cells[n*pageCells:][:pageCells]
}

// A page begins with how many things were begun and how many of them are done; what
// they were follows.
func (p page) begin()     { p[0].Add(1) }
func (p page) count()     { p[1].Add(1) }
func (p page) begun() int { return int(p[0].Load()) }
func (p page) done() int  { return int(p[1].Load()) }

// full reports whether there is no room for more.
func (p page) full() bool { return 2+p.done() == len(p) }

// ample reports whether this party has done so much that those who note the same and
// that of others must be left room.
func (p page) ample() bool { return p.done() >= len(p)/2 }

// note says that what was begun last is done.
func (p page) note(what uint64) {
	p[2+p.done()].Store(what)
	p.count()
}

func (p page) notes() []uint64 {
	all := make([]uint64, p.done())
	for i := range all {
		all[i] = p[2+i].Load()
	}
	return all
}
