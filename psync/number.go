package psync

import (
	"context"
	"reflect"

	"github.com/feac4032/multiproc/task"
)

// Numeric is what a Number can be.
type Numeric interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 |
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64
}

// Number is a Value that can be added to.
type Number[T Numeric] struct{ Value[T] }

// NewNumber returns a variable in the memory of this process. A type with an
// encoding of its own can make it an error, and cannot be added to.
func NewNumber[T Numeric](v T, opts ...Option) (*Number[T], error) {
	c, err := newCells("number", []T{v}, opts)
	if err != nil {
		return nil, err
	}
	return &Number[T]{Value[T]{c}}, nil
}

// OverNumber returns the variable that is the first cell of b.
func OverNumber[T Numeric](b CellsBackend, opts ...Option) *Number[T] {
	return &Number[T]{Value[T]{overCells[T]("number", b, opts)}}
}

// Add adds delta and returns the sum, in one step. A sum that does not fit into T
// is ErrOverflow, and changes nothing.
func (n *Number[T]) Add(ctx context.Context, delta T) (T, error) {
	var sum T
	data, err := task.Encode(nil, delta)
	if err != nil {
		return sum, n.failed("add", err)
	}
	if err := n.begin(ctx, "add"); err != nil {
		return sum, err
	}
	data, err = n.b.Add(ctx, 0, reflect.TypeFor[T]().Kind(), data)
	if err == nil {
		err = task.Decode(data, &sum)
	}
	return sum, n.ended("add", err)
}
