package broker

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"sync"
)

// Cells are values that many read and write, each write being one step; what
// Python's Value and Array are, without shared memory. A value is encoded, and its
// bytes are never changed, neither here nor by whoever gave or got them.
type Cells struct {
	name string

	mu      sync.Mutex
	cells   []cell
	removed error
}

type cell struct {
	value   []byte
	version uint64 // how often it was written
}

// NewCells makes a cell for each value.
func NewCells(name string, values [][]byte) *Cells {
	c := &Cells{name: name, cells: make([]cell, len(values))}
	for i, v := range values {
		c.cells[i].value = v
	}
	return c
}

// Name is the name that they were made with.
func (c *Cells) Name() string { return c.name }

// Resource is what messages call them.
func (c *Cells) Resource() string { return "value " + strconv.Quote(c.name) }

// Len is how many there are.
func (c *Cells) Len() int { return len(c.cells) }

// at returns the ith cell; every other method returns its errors: ErrRange, and
// what Remove gave. The mutex is held.
func (c *Cells) at(i int) (*cell, error) {
	if c.removed != nil {
		return nil, c.removed
	}
	if i < 0 || i >= len(c.cells) {
		return nil, fmt.Errorf("index %d of %d elements: %w", i, len(c.cells), ErrRange)
	}
	return &c.cells[i], nil
}

func (x *cell) write(v []byte) {
	x.value = v
	x.version++
}

// Load returns a value, and its version, which no other value of this cell has.
func (c *Cells) Load(i int) (v []byte, version uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, err := c.at(i)
	if err != nil {
		return nil, 0, err
	}
	return x.value, x.version, nil
}

// Store writes a value.
func (c *Cells) Store(i int, v []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, err := c.at(i)
	if err == nil {
		x.write(v)
	}
	return err
}

// CompareAndSwap writes a value if nobody has written one since the version was
// loaded, and reports whether it has.
func (c *Cells) CompareAndSwap(i int, version uint64, v []byte) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, err := c.at(i)
	if err != nil || x.version != version {
		return false, err
	}
	x.write(v)
	return true, nil
}

// CompareAndSwapValue writes a value if the present one has the same bytes as old,
// and reports whether it has.
func (c *Cells) CompareAndSwapValue(i int, old, v []byte) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, err := c.at(i)
	if err != nil || !bytes.Equal(x.value, old) {
		return false, err
	}
	x.write(v)
	return true, nil
}

// Add adds delta to a number of the given kind, one of Go's integers or floats,
// and returns the sum; delta is a number of that kind, or a negative one for an
// unsigned kind. ErrOverflow, and nothing is changed, if the sum does not fit. A
// value or delta that is no such number, and another kind, are errors too.
func (c *Cells) Add(i int, kind reflect.Kind, delta []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, err := c.at(i)
	if err != nil {
		return nil, err
	}
	sum, err := addNumbers(kind, x.value, delta)
	if err != nil {
		return nil, err
	}
	x.write(sum)
	return sum, nil
}

// Snapshot returns all values as they are at one moment.
func (c *Cells) Snapshot() ([][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed != nil {
		return nil, c.removed
	}
	all := make([][]byte, len(c.cells))
	for i, x := range c.cells {
		all[i] = x.value
	}
	return all, nil
}

// Remove ends the cells: every later request but Len gets cause.
func (c *Cells) Remove(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed == nil {
		c.removed = cause
	}
	for i := range c.cells {
		c.cells[i].value = nil
	}
}
