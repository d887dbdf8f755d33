package batch

import (
	"time"

	"github.com/feac4032/multiproc/config"
)

// A chunk whose size is found by measuring is to take about chunkTarget, and has
// at most chunkBytes of text, with what the kernel counts beside it: a command
// line holds 2 MiB on Linux with the environment.
const (
	chunkTarget = 500 * time.Millisecond
	chunkBytes  = 512 << 10
	chunkEach   = 9 // a NUL and a pointer
	chunkItems  = 1 << 20
	chunkGrowth = 8
)

// chunker puts the items of a job together. Its fields are guarded by run.mu.
type chunker struct {
	items  []config.Value
	size   int64
	full   bool
	bad    error // the next instance is this item that could not be read, alone
	isBad  bool
	fixed  int        // how many items; 0 = it is found
	auto   int        // as found so far
	target int        // of the chunk that is being put together
	made   int        // items of the last one
	before func() int // how many the next one had in the run that is resumed; 0 = not known
}

func newChunker(c config.Chunk) *chunker {
	if !c.Given() {
		return nil
	}
	return &chunker{fixed: c.Size, auto: 1}
}

// want is how many items the next chunk is to have.
func (c *chunker) want() int {
	if c.fixed > 0 {
		return c.fixed
	}
	if c.before != nil {
		if n := c.before(); n > 0 {
			return n
		}
	}
	return c.auto
}

func (c *chunker) empty() bool { return len(c.items) == 0 && !c.isBad }

// has fills the next chunk, and reports whether there is one.
func (c *chunker) has(js *jobState) bool {
	for !c.full && !c.isBad {
		if len(js.batch) == 0 && !js.done {
			js.fill()
		}
		if len(js.batch) == 0 {
			if js.done && len(c.items) > 0 {
				c.full = true
				break
			}
			return false
		}
		if len(c.items) == 0 {
			c.target = c.want()
			c.items = make([]config.Value, 0, min(c.target, c.made))
		}
		it := &js.batch[0]
		room := c.fixed > 0 || len(c.items) == 0 || c.size+it.size()+chunkEach <= chunkBytes
		switch {
		case it.err != nil && len(c.items) == 0:
			c.bad, c.isBad = it.err, true
		case it.err != nil || !room:
			c.full = true
			continue // it belongs to the next one
		default:
			c.items = append(c.items, it.value)
			c.size += it.size() + chunkEach
			c.full = len(c.items) >= c.target
		}
		*it = item{}
		js.batch = js.batch[1:]
	}
	return true
}

// take gives an instance its items. With last, no other one has the same.
func (c *chunker) take(in *Instance, last bool) (err error) {
	if c.isBad {
		err = c.bad
	} else {
		in.Items, in.size = c.items, c.size
		c.made = len(c.items)
	}
	if last {
		c.items, c.size, c.full, c.bad, c.isBad = nil, 0, false, nil, false
	}
	return err
}

// tune learns from a chunk of n items that has taken so long.
func (c *chunker) tune(n int, wall time.Duration) {
	switch {
	case c.fixed > 0:
	case wall < chunkTarget/2:
		c.auto = min(max(c.auto, n*chunkGrowth), chunkItems)
	case wall > 2*chunkTarget:
		c.auto = max(1, int(float64(n)*float64(chunkTarget)/float64(wall)))
	}
}
