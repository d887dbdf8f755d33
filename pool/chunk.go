package pool

import (
	"slices"

	"github.com/feac4032/multiproc/ipc"
)

// chunk is a run of items that follow each other in the input, and that are given
// to a worker, and ended, together.
type chunk[In any] struct {
	index int    // of its first item
	n     int    // items
	buf   []byte // room for the head of an array, then the arguments
	ins   []In   // of Unordered: the items

	job      *Job // that runs it; nil when none does
	attempts int  // that were charged before
	deaths   int  // of workers under these
	shared   bool // a part of it was cut off, which has the same buffers

	ready   bool
	refused bool       // the pool has not taken it
	values  []byte     // results, one behind the other
	failed  []itemEnd  // by rising index
	err     error      // of all its items
	prev    *chunk[In] // in the mapper's list, in the order of the input
	next    *chunk[In]
}

// itemEnd is the error of one item of a chunk.
type itemEnd struct {
	index int
	err   error
}

// arrayHead is the room for the head of an array of up to 65,535 elements.
const arrayHead = 3

// payload is what travels: one argument, or the array of them.
func (c *chunk[In]) payload() (b []byte, items int) {
	if c.n == 1 {
		return c.buf[arrayHead:], 0
	}
	c.buf[0], c.buf[1], c.buf[2] = 0xdc, byte(c.n>>8), byte(c.n)
	return c.buf, c.n
}

// cut takes the items from at on, 0 < at < n, out of c, into a chunk of their own,
// which is to follow it. The parts have what c had: arguments, results, failures.
func (c *chunk[In]) cut(at int) *chunk[In] {
	d := &chunk[In]{
		index: c.index + at, n: c.n - at, attempts: c.attempts, deaths: c.deaths,
		ready: c.ready, err: c.err, shared: true,
	}
	end := arrayHead + ipc.SplitValues(c.buf[arrayHead:], at)
	d.buf = make([]byte, arrayHead, arrayHead+len(c.buf)-end) // its head is not c's to write
	d.buf = append(d.buf, c.buf[end:]...)
	c.buf = c.buf[:end]
	if c.ins != nil {
		c.ins, d.ins = c.ins[:at:at], c.ins[at:]
	}
	if c.values != nil {
		end := ipc.SplitValues(c.values, at)
		c.values, d.values = c.values[:end:end], c.values[end:]
	}
	k, _ := slices.BinarySearchFunc(c.failed, at, func(f itemEnd, at int) int { return f.index - at })
	d.failed = slices.Clone(c.failed[k:])
	for i := range d.failed {
		d.failed[i].index -= at
	}
	c.failed = c.failed[:k:k]
	c.n, c.shared = at, true
	return d
}

// again makes c one that has not been run.
func (c *chunk[In]) again() {
	c.ready, c.values, c.failed, c.err = false, nil, nil, nil
}
