package remote

import (
	"context"
	"reflect"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
)

// Cells hold encoded values.
type Cells struct{ ref Ref }

// NewCells returns the proxy of cells.
func NewCells(r Ref) *Cells { return &Cells{r} }

// Ref is what travels in their place.
func (x *Cells) Ref() Ref { return x.ref }

// Len is the number of cells.
func (x *Cells) Len(context.Context) (int, error) { return int(x.ref.Size), nil }

// Load returns the value of cell i, and its version.
func (x *Cells) Load(ctx context.Context, i int) ([]byte, uint64, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.Load(ctx, i)
	} else if err != nil {
		return nil, 0, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 3)
	if err != nil {
		return nil, 0, err
	}
	k.out = appendInt(k.out, int64(i))
	if err := c.roundTrip(ctx, k, opCellsLoad); err != nil {
		return nil, 0, err
	}
	k.in.arrayOf(2)
	v, version := k.in.binCopy(), k.in.uint()
	return v, version, c.end(k)
}

// Store sets cell i.
func (x *Cells) Store(ctx context.Context, i int, v []byte) error {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.Store(ctx, i, v)
	} else if err != nil {
		return err
	}
	c, k, _, err := on(ctx, x.ref.ID, 4)
	if err != nil {
		return err
	}
	k.out = appendBin(appendInt(k.out, int64(i)), v)
	return c.simple(ctx, k, opCellsStore)
}

// CompareAndSwap sets cell i if it still has this version.
func (x *Cells) CompareAndSwap(ctx context.Context, i int, version uint64, v []byte) (bool, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.CompareAndSwap(ctx, i, version, v)
	} else if err != nil {
		return false, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 5)
	if err != nil {
		return false, err
	}
	k.out = appendBin(appendUint(appendInt(k.out, int64(i)), version), v)
	return c.swapped(ctx, k, opCellsCompare)
}

// CompareAndSwapValue sets cell i if its value is old.
func (x *Cells) CompareAndSwapValue(ctx context.Context, i int, old, v []byte) (bool, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.CompareAndSwapValue(ctx, i, old, v)
	} else if err != nil {
		return false, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 5)
	if err != nil {
		return false, err
	}
	k.out = appendBin(appendBin(appendInt(k.out, int64(i)), old), v)
	return c.swapped(ctx, k, opCellsSwap)
}

func (c *Client) swapped(ctx context.Context, k *exchange, op string) (bool, error) {
	if err := c.roundTrip(ctx, k, op); err != nil {
		return false, err
	}
	done := k.in.bool()
	return done, c.end(k)
}

// Add adds to cell i, which holds a number of this kind, and returns the sum.
func (x *Cells) Add(ctx context.Context, i int, kind reflect.Kind, delta []byte) ([]byte, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.Add(ctx, i, kind, delta)
	} else if err != nil {
		return nil, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 5)
	if err != nil {
		return nil, err
	}
	k.out = appendBin(appendUint(appendInt(k.out, int64(i)), uint64(kind)), delta)
	if err := c.roundTrip(ctx, k, opCellsAdd); err != nil {
		return nil, err
	}
	v := k.in.binCopy()
	return v, c.end(k)
}

// Snapshot returns the values of all cells as they were at one moment.
func (x *Cells) Snapshot(ctx context.Context) ([][]byte, error) {
	if obj, ok, err := here[*broker.Cells](x.ref.ID); ok {
		return local.Cells{C: obj}.Snapshot(ctx)
	} else if err != nil {
		return nil, err
	}
	c, k, _, err := on(ctx, x.ref.ID, 2)
	if err != nil {
		return nil, err
	}
	if err := c.roundTrip(ctx, k, opCellsSnapshot); err != nil {
		return nil, err
	}
	values := make([][]byte, 0, x.ref.Size)
	for n := k.in.array(); n > 0 && !k.in.bad; n-- {
		values = append(values, k.in.binCopy())
	}
	return values, c.end(k)
}
