package local

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// Condition waits for notifications. Its Acquire and Release are those of its
// lock.
type Condition struct {
	Lock
	C *broker.Condition
}

// Wait releases the lock fully, blocks until it is notified or ctx ends, and
// takes the lock again in any case.
func (c Condition) Wait(ctx context.Context) (*owner.Abandoned, error) {
	t := &broker.Ticket{Owner: owner.From(ctx)}
	err := broker.Await(ctx, t, c.C.Wait)
	return t.Abandoned, err
}

// Notify lets up to n of those who wait go on, all if n < 0.
func (c Condition) Notify(ctx context.Context, n int) error {
	return c.C.Notify(owner.From(ctx), n)
}
