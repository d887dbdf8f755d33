package psync

import (
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// Errors of every operation, wrapped with the object's name: test with errors.Is.
// They keep their identity when they come from another process.
var (
	// ErrLost says that the object's process, or the link to it, is gone. What
	// this process held is held no more.
	ErrLost = broker.ErrLost

	// ErrRemoved says that the object was taken out of its manager.
	ErrRemoved = broker.ErrRemoved

	// ErrNoManager comes from an object that was received in a task's arguments
	// where the manager that it belongs to cannot be reached.
	ErrNoManager = broker.ErrNoManager

	// ErrNotFound says that the manager which an object refers to does not have
	// it.
	ErrNotFound = broker.ErrNotFound
)

// Errors of owners.
var (
	// ErrNoOwner comes from what must be held by somebody, when the context does
	// not say by whom. WithOwner makes a context that does.
	ErrNoOwner = broker.ErrNoOwner

	// ErrEnded comes from a call on behalf of an owner that has ended. Nothing
	// is held.
	ErrEnded = broker.ErrEnded

	// ErrDeadlock is what every *DeadlockError is.
	ErrDeadlock = owner.ErrDeadlock
)

// Errors of acquiring and releasing.
var (
	// ErrWouldBlock comes from a TryAcquire when an Acquire would wait.
	ErrWouldBlock = broker.ErrWouldBlock

	// ErrNotLocked comes from the release of a lock that nobody holds; Python's
	// RuntimeError "release unlocked lock".
	ErrNotLocked = broker.ErrNotLocked

	// ErrTakenAway comes from a holder's release of a Lock that somebody else has
	// released in the meantime. It released nothing. It is also ErrNotLocked.
	ErrTakenAway = broker.ErrTakenAway

	// ErrNotOwner comes from the release of an RLock, and from waiting for or
	// notifying a Condition, by who does not hold the lock.
	ErrNotOwner = broker.ErrNotOwner

	// ErrReleasedTooOften comes from the release of a BoundedSemaphore all of
	// whose permits are free; Python's ValueError "semaphore released too many
	// times".
	ErrReleasedTooOften = broker.ErrReleasedTooOften
)

// ErrBroken comes from waiting at a Barrier that is broken, or breaks meanwhile;
// Python's BrokenBarrierError.
var ErrBroken = broker.ErrBroken

// Errors of values.
var (
	// ErrOverflow comes from Number.Add when the sum does not fit into the
	// number's type. Nothing has changed.
	ErrOverflow = broker.ErrOverflow

	// ErrRange comes from an Array's operation on an element that it does not
	// have; Python's IndexError. It also comes from a negative number of permits
	// or waiters, and from less than one party; Python's ValueError.
	ErrRange = broker.ErrRange
)

// Errors of sharing.
var (
	// ErrNotShared comes from sending an object that lives in the memory of this
	// process only.
	ErrNotShared = broker.ErrNotShared

	// ErrMismatch comes from receiving an object as something else than it is:
	// a Lock as an Event, or a Value of strings as one of numbers.
	ErrMismatch = broker.ErrMismatch

	// ErrUnsupported comes from NewCondition with a lock that is not in the
	// memory of this process. It is also an [errors.ErrUnsupported].
	ErrUnsupported = fmt.Errorf("not possible with this backend: %w", errors.ErrUnsupported)
)
