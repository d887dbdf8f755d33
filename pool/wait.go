package pool

import (
	"context"
	"iter"
	"sync"
)

// AnyFuture is a *Future of any type: futures of several types can be waited for
// together, as a list of these. Nothing else can implement it.
type AnyFuture interface {
	Done() <-chan struct{}
	Err() error
	Cancel() CancelState
	whenEnded(call func()) (forget func())
}

// Waitable is what Wait and AsCompleted take: *Future[Out], or AnyFuture.
type Waitable interface {
	comparable
	AnyFuture
}

// WaitMode says when Wait returns.
type WaitMode uint8

const (
	// All: when all have ended (ALL_COMPLETED).
	All WaitMode = iota
	// FirstDone: when one has ended (FIRST_COMPLETED).
	FirstDone
	// FirstError: when one has ended with an error, being cancelled included, or
	// all have (FIRST_EXCEPTION).
	FirstError
)

// Wait waits until the futures have ended as mode says, and returns those that
// have and those that have not, each in the given order (concurrent.futures.wait).
// With no futures it returns at once. err is nil, or the cause of ctx, which ended
// before; the lists are right all the same. What is pending goes on.
func Wait[F Waitable](ctx context.Context, mode WaitMode, futures ...F) (done, pending []F, err error) {
	enough := make(chan struct{})
	var mu sync.Mutex
	left, closed := len(futures), false
	count := func(f F) {
		mu.Lock()
		defer mu.Unlock()
		left--
		if !closed && (left == 0 || mode == FirstDone || mode == FirstError && f.Err() != nil) {
			closed = true
			close(enough)
		}
	}
	for _, f := range futures {
		defer f.whenEnded(func() { count(f) })()
	}
	if len(futures) > 0 {
		select {
		case <-enough:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	for _, f := range futures {
		select {
		case <-f.Done():
			done = append(done, f)
		default:
			pending = append(pending, f)
		}
	}
	return done, pending, err
}

// AsCompleted yields the futures as they end, the first one first
// (concurrent.futures.as_completed). One that is given twice is yielded once. When
// ctx ends before them it yields the zero F with the cause of ctx, and ends; what
// is pending goes on.
func AsCompleted[F Waitable](ctx context.Context, futures ...F) iter.Seq2[F, error] {
	return func(yield func(F, error) bool) {
		unique := make(map[F]struct{}, len(futures))
		ended := make(chan F, len(futures)) // has room for all: who ends one never waits
		for _, f := range futures {
			if _, twice := unique[f]; twice {
				continue
			}
			unique[f] = struct{}{}
			defer f.whenEnded(func() { ended <- f })()
		}
		for range unique {
			select {
			case f := <-ended:
				if !yield(f, nil) {
					return
				}
				continue
			default:
			}
			select {
			case f := <-ended:
				if !yield(f, nil) {
					return
				}
			case <-ctx.Done():
				var none F
				yield(none, context.Cause(ctx))
				return
			}
		}
	}
}
