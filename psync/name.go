package psync

import (
	"context"
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/internal/broker"
)

// Option is an optional property of an object or owner.
type Option func(*options)

type options struct{ name string }

// Named gives an object the name that its errors carry, or an owner the name that
// others see.
func Named(name string) Option { return func(o *options) { o.name = name } }

func nameOf(opts []Option) string {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o.name
}

// label is what an object is called in its errors.
type label struct{ kind, name string }

// errZero comes from every operation of a zero value, which has no backend.
var errZero = errors.New("zero value: it was neither made nor received")

// made refuses an operation of a zero value.
func (l *label) made(op string) error {
	if l.kind == "" {
		return fmt.Errorf("psync: %s: %w", op, errZero)
	}
	return nil
}

// begin refuses an operation whose context has ended: it changes nothing then.
func (l *label) begin(ctx context.Context, op string) error {
	if err := l.made(op); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return l.failed(op, broker.Ended(ctx))
	}
	return nil
}

// ended is the error of an operation, nil if it has none.
func (l *label) ended(op string, err error) error {
	if err != nil {
		return l.failed(op, err)
	}
	return nil
}

func (l *label) failed(op string, err error) error {
	if l.name == "" {
		return fmt.Errorf("psync: %s: %s: %w", l.kind, op, err)
	}
	return fmt.Errorf("psync: %s %q: %s: %w", l.kind, l.name, op, err)
}
