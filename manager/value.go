package manager

import (
	"context"

	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/task"
)

// cells is the request for an object with these values.
func cells[T any](kind, name string, values []T, opts []OpenOption) (*remote.OpenRequest, error) {
	r := request(kind, name, typeName[T](), len(values), opts)
	for _, v := range values {
		b, err := task.Encode(nil, v)
		if err != nil {
			return nil, err
		}
		r.Values = append(r.Values, b)
	}
	return r, nil
}

// newCells makes an object with these values.
func newCells[T any](m *Manager, kind, name string, values []T) (*remote.Cells, error) {
	r, err := cells(kind, name, values, nil)
	if err != nil {
		return nil, err
	}
	ref, err := m.create(r, build)
	if err != nil {
		return nil, err
	}
	return remote.NewCells(ref), nil
}

// openCells opens an object, or makes it with these values.
func openCells[T any](ctx context.Context, kind, name string, values []T, opts []OpenOption) (*remote.Cells, error) {
	r, err := cells(kind, name, values, opts)
	if err != nil {
		return nil, err
	}
	ref, err := open(ctx, r)
	if err != nil {
		return nil, err
	}
	return remote.NewCells(ref), nil
}

// NewValue makes a variable. A value that does not travel is an error, see package
// task.
func NewValue[T comparable](m *Manager, name string, v T) (*psync.Value[T], error) {
	c, err := newCells(m, remote.KindValue, name, []T{v})
	if err != nil {
		return nil, err
	}
	return psync.OverValue[T](c, psync.Named(name)), nil
}

// Value opens a variable. One that is made by being opened is zero.
func Value[T comparable](ctx context.Context, name string) (*psync.Value[T], error) {
	c, err := openCells(ctx, remote.KindValue, name, make([]T, 1), nil)
	if err != nil {
		return nil, err
	}
	return psync.OverValue[T](c, psync.Named(name)), nil
}

// NewNumber makes a variable that can be added to.
func NewNumber[T psync.Numeric](m *Manager, name string, v T) (*psync.Number[T], error) {
	c, err := newCells(m, remote.KindNumber, name, []T{v})
	if err != nil {
		return nil, err
	}
	return psync.OverNumber[T](c, psync.Named(name)), nil
}

// Number opens a variable that can be added to. One that is made by being opened
// is zero.
func Number[T psync.Numeric](ctx context.Context, name string) (*psync.Number[T], error) {
	c, err := openCells(ctx, remote.KindNumber, name, make([]T, 1), nil)
	if err != nil {
		return nil, err
	}
	return psync.OverNumber[T](c, psync.Named(name)), nil
}

// NewArray makes an array of variables.
func NewArray[T any](m *Manager, name string, values []T) (*psync.Array[T], error) {
	c, err := newCells(m, remote.KindArray, name, values)
	if err != nil {
		return nil, err
	}
	return psync.OverArray[T](c, psync.Named(name)), nil
}

// Array opens an array of variables. One that is made by being opened has as many
// zeros as Sized says.
func Array[T any](ctx context.Context, name string, opts ...OpenOption) (*psync.Array[T], error) {
	c, err := openCells(ctx, remote.KindArray, name, make([]T, min(max(openingOf(opts).size, 0), remote.MaxCells)), opts)
	if err != nil {
		return nil, err
	}
	return psync.OverArray[T](c, psync.Named(name)), nil
}
