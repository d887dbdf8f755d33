package local

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// Event is set, cleared and waited for.
type Event struct{ E *broker.Event }

// Set sets the event, and lets all go on that wait for it.
func (e Event) Set(context.Context) error {
	e.E.Set()
	return nil
}

// Clear unsets the event.
func (e Event) Clear(context.Context) error {
	e.E.Clear()
	return nil
}

// IsSet reports whether the event is set.
func (e Event) IsSet(context.Context) (bool, error) { return e.E.IsSet(), nil }

// Wait blocks until the event is set or ctx ends.
func (e Event) Wait(ctx context.Context) error {
	if e.E.IsSet() {
		return nil
	}
	return broker.Await(ctx, &broker.Ticket{Owner: owner.From(ctx)}, e.E.Wait)
}
