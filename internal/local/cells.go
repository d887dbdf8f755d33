package local

import (
	"context"
	"reflect"

	"github.com/feac4032/multiproc/internal/broker"
)

// Cells hold encoded values.
type Cells struct{ C *broker.Cells }

// Len is the number of cells.
func (c Cells) Len(context.Context) (int, error) { return c.C.Len(), nil }

// Load returns the value of cell i, and the version that CompareAndSwap takes.
func (c Cells) Load(_ context.Context, i int) ([]byte, uint64, error) { return c.C.Load(i) }

// Store sets cell i. The bytes are the cell's from then on.
func (c Cells) Store(_ context.Context, i int, v []byte) error { return c.C.Store(i, v) }

// CompareAndSwap sets cell i unless it has changed since it had this version.
func (c Cells) CompareAndSwap(_ context.Context, i int, version uint64, v []byte) (bool, error) {
	return c.C.CompareAndSwap(i, version, v)
}

// CompareAndSwapValue sets cell i to value if it holds old.
func (c Cells) CompareAndSwapValue(_ context.Context, i int, old, value []byte) (bool, error) {
	return c.C.CompareAndSwapValue(i, old, value)
}

// Add adds a number of the given kind to cell i, and returns the sum.
func (c Cells) Add(_ context.Context, i int, kind reflect.Kind, delta []byte) ([]byte, error) {
	return c.C.Add(i, kind, delta)
}

// Snapshot returns all values as they were at one moment.
func (c Cells) Snapshot(context.Context) ([][]byte, error) { return c.C.Snapshot() }
