package psync

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
)

// Event is set or not, and can be waited for; Python's Event. It needs no owner.
// Its methods may be called by any number of goroutines.
type Event struct {
	label
	b EventBackend
}

// NewEvent returns an event in the memory of this process. It is not set.
func NewEvent(opts ...Option) *Event {
	return OverEvent(local.Event{E: broker.NewEvent(nameOf(opts))}, opts...)
}

// OverEvent returns the event that b serves.
func OverEvent(b EventBackend, opts ...Option) *Event {
	return &Event{label{"event", nameOf(opts)}, b}
}

// Set sets the event. All who wait go on, though it be cleared at once.
func (e *Event) Set(ctx context.Context) error {
	if err := e.begin(ctx, "set"); err != nil {
		return err
	}
	return e.ended("set", e.b.Set(ctx))
}

// Clear unsets the event: from then on Wait blocks.
func (e *Event) Clear(ctx context.Context) error {
	if err := e.begin(ctx, "clear"); err != nil {
		return err
	}
	return e.ended("clear", e.b.Clear(ctx))
}

// IsSet reports whether the event is set.
func (e *Event) IsSet(ctx context.Context) (bool, error) {
	if err := e.begin(ctx, "is set"); err != nil {
		return false, err
	}
	set, err := e.b.IsSet(ctx)
	return set, e.ended("is set", err)
}

// Wait blocks until the event is set, which it may be already. The error is the
// context's, if it ended first.
func (e *Event) Wait(ctx context.Context) error {
	if err := e.begin(ctx, "wait"); err != nil {
		return err
	}
	return e.ended("wait", e.b.Wait(ctx))
}
