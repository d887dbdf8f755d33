package remote

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
)

// Event is set or not.
type Event struct{ ref Ref }

// NewEvent returns the proxy of an event.
func NewEvent(r Ref) *Event { return &Event{r} }

// Ref is what travels in its place.
func (e *Event) Ref() Ref { return e.ref }

// Set sets it, and wakes all who wait.
func (e *Event) Set(ctx context.Context) error {
	if obj, ok, err := here[*broker.Event](e.ref.ID); ok {
		return local.Event{E: obj}.Set(ctx)
	} else if err != nil {
		return err
	}
	return perform(ctx, e.ref.ID, opEventSet)
}

// Clear makes it not set.
func (e *Event) Clear(ctx context.Context) error {
	if obj, ok, err := here[*broker.Event](e.ref.ID); ok {
		return local.Event{E: obj}.Clear(ctx)
	} else if err != nil {
		return err
	}
	return perform(ctx, e.ref.ID, opEventClear)
}

// IsSet reports whether it is set.
func (e *Event) IsSet(ctx context.Context) (bool, error) {
	if obj, ok, err := here[*broker.Event](e.ref.ID); ok {
		return local.Event{E: obj}.IsSet(ctx)
	} else if err != nil {
		return false, err
	}
	c, k, _, err := on(ctx, e.ref.ID, 2)
	if err != nil {
		return false, err
	}
	if err := c.roundTrip(ctx, k, opEventIsSet); err != nil {
		return false, err
	}
	set := k.in.bool()
	return set, c.end(k)
}

// Wait waits until it is set.
func (e *Event) Wait(ctx context.Context) error {
	if obj, ok, err := here[*broker.Event](e.ref.ID); ok {
		return local.Event{E: obj}.Wait(ctx)
	} else if err != nil {
		return err
	}
	return perform(ctx, e.ref.ID, opEventWait)
}
