package local

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// Barrier is waited at.
type Barrier struct{ B *broker.Barrier }

// Wait blocks until all parties wait, and returns the caller's index. The end of
// ctx breaks the barrier.
func (b Barrier) Wait(ctx context.Context) (int, error) {
	t := &broker.Ticket{Owner: owner.From(ctx)}
	err := broker.Await(ctx, t, b.B.Wait)
	return t.Index, err
}

// Abort breaks the barrier.
func (b Barrier) Abort(context.Context) error {
	b.B.Abort()
	return nil
}

// Reset makes the barrier as new; those who wait find it broken.
func (b Barrier) Reset(context.Context) error {
	b.B.Reset()
	return nil
}

// State says how many parties there are, how many wait, and whether it is broken.
func (b Barrier) State(context.Context) (parties, waiting int, broken bool, err error) {
	parties, waiting, broken = b.B.State()
	return parties, waiting, broken, nil
}
