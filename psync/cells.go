package psync

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
	"github.com/feac4032/multiproc/task"
)

// cells are what values, numbers and arrays are made of: encoded values of one
// type.
type cells[T any] struct {
	label
	b CellsBackend
}

// newCells returns cells in the memory of this process.
func newCells[T any](kind string, values []T, opts []Option) (cells[T], error) {
	c := cells[T]{label: label{kind, nameOf(opts)}}
	encoded := make([][]byte, len(values))
	for i, v := range values {
		var err error
		if encoded[i], err = task.Encode(nil, v); err != nil {
			return c, c.failed("new", err)
		}
	}
	c.b = local.Cells{C: broker.NewCells(c.name, encoded)}
	return c, nil
}

func overCells[T any](kind string, b CellsBackend, opts []Option) cells[T] {
	return cells[T]{label{kind, nameOf(opts)}, b}
}

func (c *cells[T]) load(ctx context.Context, op string, i int) (v T, version uint64, err error) {
	if err := c.begin(ctx, op); err != nil {
		return v, 0, err
	}
	data, version, err := c.b.Load(ctx, i)
	if err == nil {
		err = task.Decode(data, &v)
	}
	return v, version, c.ended(op, err)
}

func (c *cells[T]) store(ctx context.Context, op string, i int, v T) error {
	data, err := task.Encode(nil, v)
	if err != nil {
		return c.failed(op, err)
	}
	if err := c.begin(ctx, op); err != nil {
		return err
	}
	return c.ended(op, c.b.Store(ctx, i, data))
}

func (c *cells[T]) compareAndSwap(ctx context.Context, op string, i int, old, v T) (bool, error) {
	was, err := task.Encode(nil, old)
	if err != nil {
		return false, c.failed(op, err)
	}
	data, err := task.Encode(nil, v)
	if err != nil {
		return false, c.failed(op, err)
	}
	if err := c.begin(ctx, op); err != nil {
		return false, err
	}
	swapped, err := c.b.CompareAndSwapValue(ctx, i, was, data)
	return swapped, c.ended(op, err)
}

// update sets a cell to what f makes of it, and begins again whenever somebody else
// has set it meanwhile. One of those who update at the same time always succeeds.
func (c *cells[T]) update(ctx context.Context, op string, i int, f func(T) T) (T, error) {
	var zero T
	for {
		v, version, err := c.load(ctx, op, i)
		if err != nil {
			return zero, err
		}
		v = f(v)
		data, err := task.Encode(nil, v)
		if err != nil {
			return zero, c.failed(op, err)
		}
		switch swapped, err := c.b.CompareAndSwap(ctx, i, version, data); {
		case err != nil:
			return zero, c.failed(op, err)
		case swapped:
			return v, nil
		}
	}
}
