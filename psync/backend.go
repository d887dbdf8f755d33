package psync

import (
	"context"
	"reflect"
)

// The backends are what an object needs to have done. The owner of a call is in
// its context. They have what package psynctest lists; the errors are those of this
// package, and a context that ends before the grant withdraws the request: when
// the call returns with the context's error, nothing has changed.
type (
	// LockBackend is a Lock or an RLock.
	LockBackend interface {
		// Acquire takes the lock for the owner of ctx. Without wait the answer is
		// ErrWouldBlock if somebody else has it. It returns who left the lock
		// behind, nil if nobody did. An error means that it is not held.
		Acquire(ctx context.Context, wait bool) (*Abandoned, error)

		// Release gives it back. The end of ctx counts only where there is an
		// answer to be waited for, which a release by the holder does not.
		Release(ctx context.Context) error
	}

	// SemaphoreBackend is a Semaphore or a BoundedSemaphore.
	SemaphoreBackend interface {
		// Acquire takes a permit, as Acquire of a lock does; detached ones belong
		// to nobody.
		Acquire(ctx context.Context, wait, detached bool) (*Abandoned, error)

		// Release gives back the caller's own permit, if it has one; else it adds
		// one.
		Release(ctx context.Context) error

		// Value returns the number of permits that are free.
		Value(ctx context.Context) (int, error)
	}

	// ConditionBackend is a Condition, with its lock.
	ConditionBackend interface {
		LockBackend

		// Wait releases the lock, however often it is held, waits for a
		// notification or the end of ctx, and takes the lock as often again,
		// however long that takes. ErrNotOwner, ErrNoOwner, ErrEnded, ErrLost and
		// ErrRemoved say that it is not held.
		Wait(ctx context.Context) (*Abandoned, error)

		// Notify lets n of those who wait go on, those who came first; all if
		// n < 0.
		Notify(ctx context.Context, n int) error
	}

	// EventBackend is an Event.
	EventBackend interface {
		Set(ctx context.Context) error
		Clear(ctx context.Context) error
		IsSet(ctx context.Context) (bool, error)
		Wait(ctx context.Context) error
	}

	// BarrierBackend is a Barrier.
	BarrierBackend interface {
		// Wait waits for all parties, and returns the caller's index. The end of
		// ctx breaks the barrier.
		Wait(ctx context.Context) (int, error)
		Abort(ctx context.Context) error
		Reset(ctx context.Context) error
		State(ctx context.Context) (parties, waiting int, broken bool, err error)
	}

	// CellsBackend keeps values, each encoded as one msgpack value: one for a
	// Value or Number, many for an Array. No such cell is ErrRange.
	CellsBackend interface {
		Len(ctx context.Context) (int, error)

		// Load returns a value, which the caller does not change, and its version.
		Load(ctx context.Context, i int) (v []byte, version uint64, err error)

		// Store sets a value. The backend keeps v.
		Store(ctx context.Context, i int, v []byte) error

		// CompareAndSwap sets a value unless it was set since it had this version.
		CompareAndSwap(ctx context.Context, i int, version uint64, v []byte) (bool, error)

		// CompareAndSwapValue sets a value if its bytes are those of old.
		CompareAndSwapValue(ctx context.Context, i int, old, v []byte) (bool, error)

		// Add adds to a number of the given kind, and returns the sum. One that
		// does not fit the kind is ErrOverflow.
		Add(ctx context.Context, i int, kind reflect.Kind, delta []byte) ([]byte, error)

		// Snapshot returns all values as they are at one moment.
		Snapshot(ctx context.Context) ([][]byte, error)
	}
)
