package psync

import (
	"context"

	"github.com/feac4032/multiproc/task"
)

// Array is a fixed number of variables that several parties read and write;
// Python's Array. Each element is as a [Value] is, and is set on its own; an index
// below 0 or beyond the last element is ErrRange. Its methods may be called by any
// number of goroutines.
type Array[T any] struct{ cells[T] }

// NewArray returns an array in the memory of this process, with a snapshot of these
// values. A value that cannot travel is an error, see package task.
func NewArray[T any](values []T, opts ...Option) (*Array[T], error) {
	c, err := newCells("array", values, opts)
	if err != nil {
		return nil, err
	}
	return &Array[T]{c}, nil
}

// OverArray returns the array whose elements are the cells of b.
func OverArray[T any](b CellsBackend, opts ...Option) *Array[T] {
	return &Array[T]{overCells[T]("array", b, opts)}
}

// Len returns the number of elements.
func (a *Array[T]) Len(ctx context.Context) (int, error) {
	if err := a.begin(ctx, "len"); err != nil {
		return 0, err
	}
	n, err := a.b.Len(ctx)
	return n, a.ended("len", err)
}

// Load returns element i. One that does not decode into T is a *task.ValueError.
func (a *Array[T]) Load(ctx context.Context, i int) (T, error) {
	got, _, err := a.load(ctx, "load", i)
	return got, err
}

// Store sets element i.
func (a *Array[T]) Store(ctx context.Context, i int, value T) error {
	return a.store(ctx, "store", i, value)
}

// CompareAndSwap sets element i if it equals old, as that of a Value does.
func (a *Array[T]) CompareAndSwap(ctx context.Context, i int, old, value T) (bool, error) {
	return a.compareAndSwap(ctx, "compare and swap", i, old, value)
}

// Update sets element i to what f returns for it, as that of a Value does.
func (a *Array[T]) Update(ctx context.Context, i int, f func(T) T) (T, error) {
	return a.update(ctx, "update", i, f)
}

// Snapshot returns all elements as they are at one moment.
func (a *Array[T]) Snapshot(ctx context.Context) ([]T, error) {
	if err := a.begin(ctx, "snapshot"); err != nil {
		return nil, err
	}
	encoded, err := a.b.Snapshot(ctx)
	if err != nil {
		return nil, a.failed("snapshot", err)
	}
	values := make([]T, len(encoded))
	for i, data := range encoded {
		if err := task.Decode(data, &values[i]); err != nil {
			return nil, a.failed("snapshot", err)
		}
	}
	return values, nil
}
