package psync

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
)

// Barrier lets a number of parties go on only together; Python's Barrier. Its
// methods may be called by any number of goroutines.
type Barrier struct {
	label
	b BarrierBackend
}

// NewBarrier returns a barrier for n parties in the memory of this process. action,
// if it is not nil, is called once each time when all have come, before any of them
// goes on; an error or panic of it breaks the barrier. Less than one party is
// ErrRange.
func NewBarrier(n int, action func() error, opts ...Option) (*Barrier, error) {
	b, err := broker.NewBarrier(nameOf(opts), n, action)
	bar := OverBarrier(local.Barrier{B: b}, opts...)
	if err != nil {
		return nil, bar.failed("new", err)
	}
	return bar, nil
}

// OverBarrier returns the barrier that b serves.
func OverBarrier(b BarrierBackend, opts ...Option) *Barrier {
	return &Barrier{label{"barrier", nameOf(opts)}, b}
}

// Wait blocks until all parties wait, and returns a number from 0 to n-1 that no
// other one of them gets. Then the barrier is ready for the next round.
//
// A context that ends first breaks the barrier: the error is the context's, and the
// others get ErrBroken, as does everybody from then on, until Reset. An owner that
// ends while it waits breaks it too. A context that ended before the call changes
// nothing.
func (b *Barrier) Wait(ctx context.Context) (int, error) {
	if err := b.begin(ctx, "wait"); err != nil {
		return 0, err
	}
	index, err := b.b.Wait(ctx)
	if err != nil {
		return 0, b.failed("wait", err)
	}
	return index, nil
}

// Abort breaks the barrier: those who wait, and those who come, get ErrBroken.
func (b *Barrier) Abort(ctx context.Context) error {
	if err := b.begin(ctx, "abort"); err != nil {
		return err
	}
	return b.ended("abort", b.b.Abort(ctx))
}

// Reset makes the barrier whole and empty. Those who wait get ErrBroken.
func (b *Barrier) Reset(ctx context.Context) error {
	if err := b.begin(ctx, "reset"); err != nil {
		return err
	}
	return b.ended("reset", b.b.Reset(ctx))
}

// Parties returns the number of parties that the barrier is for.
func (b *Barrier) Parties(ctx context.Context) (int, error) {
	n, _, _, err := b.state(ctx, "parties")
	return n, err
}

// Waiting returns how many wait now; Python's n_waiting.
func (b *Barrier) Waiting(ctx context.Context) (int, error) {
	_, n, _, err := b.state(ctx, "waiting")
	return n, err
}

// Broken reports whether the barrier is broken.
func (b *Barrier) Broken(ctx context.Context) (bool, error) {
	_, _, broken, err := b.state(ctx, "broken")
	return broken, err
}

func (b *Barrier) state(ctx context.Context, op string) (parties, waiting int, broken bool, err error) {
	if err := b.begin(ctx, op); err != nil {
		return 0, 0, false, err
	}
	parties, waiting, broken, err = b.b.State(ctx)
	return parties, waiting, broken, b.ended(op, err)
}
