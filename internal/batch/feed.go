package batch

import (
	"fmt"
	"io"
	"sync"

	"github.com/feac4032/multiproc/config"
)

// A feed keeps feedItems items or feedBytes in memory, and what is beyond in a
// file, of which it reads and writes feedBlock bytes at a time.
const (
	feedItems = 8192
	feedBytes = 4 << 20
	feedBlock = 64 << 10
)

// feed carries the items of ok instances of one job to the job that takes them by
// `from`, first come, first served. It holds any number: the job that takes them
// may have to wait until the other one has ended.
type feed struct {
	dir string

	mu     sync.Mutex
	mem    []item // the oldest ones
	size   int64  // of mem
	file   *spill // those behind
	read   int64  // up to here the file was taken
	wrote  int64  // up to here it is written
	tail   []byte // behind that, not written yet
	behind int    // items in file and tail
	ended  bool
	err    error
}

// put adds an item.
func (f *feed) put(v config.Value) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return // which whoever takes them is told
	}
	it := item{value: v}
	if f.behind == 0 && len(f.mem) < feedItems && f.size < feedBytes {
		f.mem = append(f.mem, it)
		f.size += it.size()
		return
	}
	f.tail = v.AppendBinary(f.tail)
	f.behind++
	if len(f.tail) >= feedBlock {
		f.flush()
	}
}

// flush writes the tail. The caller holds mu.
func (f *feed) flush() {
	if f.err != nil {
		return
	}
	if f.file == nil {
		if f.file, f.err = newSpill(f.dir); f.err != nil {
			return
		}
	}
	n, err := f.file.f.WriteAt(f.tail, f.wrote)
	if err != nil {
		f.err = fmt.Errorf("items that wait in a file: %w", cause(err))
		return
	}
	f.wrote += int64(n)
	f.tail = f.tail[:0]
}

// end says that no more come.
func (f *feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
}

// take returns what there is, possibly nothing yet; ended says that it was the
// last.
func (f *feed) take(dst []item) (batch []item, err error, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.mem) == 0 && f.behind > 0 && f.err == nil {
		f.load()
	}
	n := min(len(f.mem), batchItems)
	for i := range f.mem[:n] {
		f.size -= f.mem[i].size()
		dst = append(dst, f.mem[i])
		f.mem[i] = item{}
	}
	if f.mem = f.mem[n:]; len(f.mem) == 0 {
		f.mem = nil
	}
	if f.err != nil {
		return dst, f.err, true
	}
	return dst, nil, f.ended && len(f.mem) == 0 && f.behind == 0
}

// load takes the next items from the file. The caller holds mu.
func (f *feed) load() {
	f.flush()
	if f.err != nil {
		return
	}
	b := make([]byte, min(f.wrote-f.read, feedBlock))
	for {
		n, err := f.file.f.ReadAt(b, f.read)
		if err != nil && err != io.EOF {
			f.err = fmt.Errorf("items that wait in a file: %w", cause(err))
			return
		}
		rest := b[:n]
		for len(rest) > 0 {
			v, after, err := config.DecodeValue(rest)
			if err != nil {
				break // it goes on behind the block
			}
			f.read += int64(len(rest) - len(after))
			rest = after
			f.behind--
			it := item{value: v}
			f.mem = append(f.mem, it)
			f.size += it.size()
		}
		if len(f.mem) > 0 || f.behind == 0 {
			break
		}
		if int64(len(b)) >= f.wrote-f.read {
			f.err = fmt.Errorf("items that wait in a file cannot be read back")
			return
		}
		b = make([]byte, min(f.wrote-f.read, 4*int64(len(b)))) // for one that is longer
	}
	if f.behind == 0 {
		f.read, f.wrote = 0, 0 // nothing in the file is needed any more
	}
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.file.close()
	f.file, f.mem, f.behind, f.ended = nil, nil, 0, true
}
