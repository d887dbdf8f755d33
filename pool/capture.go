package pool

import (
	"fmt"
	"os"
)

// capture is what one of a worker's streams is written to: a file without a
// name, opened for appending. The worker says after each job how far it has
// written, so that what belongs to which job is exact however many are under
// way, and what a dying worker wrote is not lost with a pipe's buffer.
type capture struct {
	f       *os.File
	off     int64 // up to here it has been handed out
	punched int64 // up to here its blocks have been given back
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
	fi, err := c.f.Stat()
	if err != nil {
		return c.off
	}
	return max(c.off, fi.Size())
}

// take returns what was written up to end, which the worker says; the file has
// the last word. It is valid until release.
func (c *capture) take(end int64) Output {
	if end == c.off {
		return Output{}
	}
	end = min(end, c.size())
	if end <= c.off {
		return Output{}
	}
	o := Output{file: c.f, off: c.off, n: end - c.off}
	c.off = end
	if o.n <= inMemory {
		return Output{mem: o.Tail(inMemory)}
	}
	return o
}

// release gives back the blocks of what was taken.
func (c *capture) release() {
	if c.off-c.punched >= 1<<20 {
		punch(c.f, c.punched, c.off-c.punched)
		c.punched = c.off
	}
}

func (c *capture) close() { c.f.Close() }

func spillName(dir string) string {
	if dir == "" {
		return os.TempDir()
	}
	return dir
}
