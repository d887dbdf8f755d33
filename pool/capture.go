package pool

import (
	"fmt"
	"os"
	"sync/atomic"
)

// capture is what one of a worker's streams is written to: a file without a
// name, opened for appending. The worker says after each job how far it has
// written, so that what belongs to which job is exact however many are under
// way, and what a dying worker wrote is not lost with a pipe's buffer.
type capture struct {
	f       *os.File
	off     atomic.Int64 // up to here it has been handed out; the monitor looks too
	punched int64        // up to here its blocks have been given back
}

// inMemory is the length up to which output is read into memory.
const inMemory = 64 << 10

func newCapture(dir string) (*capture, error) {
	f, err := unnamedFile(dir, os.O_APPEND)
	if err != nil {
		return nil, fmt.Errorf("capture of output in %s: %w", spillName(dir), err)
	}
	return &capture{f: f}, nil
}

// size returns how far the file goes, at least off.
func (c *capture) size() int64 {
	off := c.off.Load()
	fi, err := c.f.Stat()
	if err != nil {
		return off
	}
	return max(off, fi.Size())
}

// rest is what was written and not handed out.
func (c *capture) rest() int64 { return c.size() - c.off.Load() }

// take returns what was written up to end, which the worker says; the file has
// the last word. It is valid until release.
func (c *capture) take(end int64) Output {
	off := c.off.Load()
	if end <= off {
		return Output{}
	}
	if end = min(end, c.size()); end <= off {
		return Output{}
	}
	o := Output{file: c.f, off: off, n: end - off}
	c.off.Store(end)
	if o.n <= inMemory {
		return Output{mem: o.Tail(inMemory)}
	}
	return o
}

// release gives back the blocks of what was taken.
func (c *capture) release() {
	if n := c.off.Load() - c.punched; n >= 1<<20 {
		punch(c.f, c.punched, n)
		c.punched += n
	}
}

func (c *capture) close() { c.f.Close() }

func spillName(dir string) string {
	if dir == "" {
		return os.TempDir()
	}
	return dir
}
