package psync

import "context"

// Value is a variable that several parties read and write; Python's Value. It keeps
// a snapshot, as if it had been sent to another process. Each operation is atomic,
// and needs no lock and no owner. Its methods may be called by any number of
// goroutines.
type Value[T comparable] struct{ cells[T] }

// NewValue returns a variable in the memory of this process. A value that cannot
// travel is an error, see package task.
func NewValue[T comparable](v T, opts ...Option) (*Value[T], error) {
	c, err := newCells("value", []T{v}, opts)
	if err != nil {
		return nil, err
	}
	return &Value[T]{c}, nil
}

// OverValue returns the variable that is the first cell of b.
func OverValue[T comparable](b CellsBackend, opts ...Option) *Value[T] {
	return &Value[T]{overCells[T]("value", b, opts)}
}

// Load returns the value. One that does not decode into T is a *task.ValueError.
func (v *Value[T]) Load(ctx context.Context) (T, error) {
	got, _, err := v.load(ctx, "load", 0)
	return got, err
}

// Store sets the value.
func (v *Value[T]) Store(ctx context.Context, value T) error {
	return v.store(ctx, "store", 0, value)
}

// CompareAndSwap sets the value if it equals old, and reports whether it did. Two
// values are equal if they are encoded alike: what pointers point to is compared,
// a NaN equals itself, and 0 is not -0.
func (v *Value[T]) CompareAndSwap(ctx context.Context, old, value T) (bool, error) {
	return v.compareAndSwap(ctx, "compare and swap", 0, old, value)
}

// Update sets the value to what f returns for it, and returns that. f is called
// again when somebody else has set the value meanwhile, so that it should do
// nothing else; no lock is held then.
func (v *Value[T]) Update(ctx context.Context, f func(T) T) (T, error) {
	return v.update(ctx, "update", 0, f)
}
