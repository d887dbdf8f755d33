package queue

import (
	"context"

	"github.com/feac4032/multiproc/internal/remote"
)

// Simple is a queue without bells: unbounded but for [MemoryLimit]; Python's
// SimpleQueue. Methods behave as those of [Queue] with the same name.
type Simple[T any] struct{ q Queue[T] }

// NewSimple returns a simple queue in the memory of this process.
func NewSimple[T any](opts ...Option) *Simple[T] { return OverSimple[T](NewMemory(0), opts...) }

// OverSimple returns a simple queue whose items are kept by b.
func OverSimple[T any](b Backend, opts ...Option) *Simple[T] {
	return &Simple[T]{over[T](b, remote.KindSimple, opts)}
}

// Put is [Queue.Put].
func (q *Simple[T]) Put(ctx context.Context, v T) error { return q.q.Put(ctx, v) }

// Get is [Queue.Get].
func (q *Simple[T]) Get(ctx context.Context) (T, error) { return q.q.Get(ctx) }

// Empty is [Queue.Empty].
func (q *Simple[T]) Empty(ctx context.Context) (bool, error) { return q.q.Empty(ctx) }

// Close is [Queue.Close].
func (q *Simple[T]) Close() error { return q.q.Close() }
