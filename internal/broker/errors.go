package broker

import (
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/internal/owner"
)

// Errors of requests. Packages psync, queue and manager give them to their users
// under their own names, wrapped with the object's.
var (
	// ErrEnded is what an owner that has ended gets.
	ErrEnded = errors.New("owner has ended")

	// ErrNoOwner is what nobody gets who asks for what somebody must hold.
	ErrNoOwner = errors.New("no owner in this context (psync.WithOwner gives it one)")

	// ErrNotLocked comes from the release of a lock that is free.
	ErrNotLocked = errors.New("not locked")

	// ErrNotOwner comes from what only the holder of a lock may do.
	ErrNotOwner = errors.New("the caller does not hold the lock")

	// ErrTakenAway comes from the release by an owner that has held the lock until
	// somebody else released it. It is an ErrNotLocked too.
	ErrTakenAway = fmt.Errorf("released by somebody else meanwhile: %w", ErrNotLocked)

	// ErrReleasedTooOften comes from a bounded semaphore that has all its permits.
	ErrReleasedTooOften = errors.New("released more often than acquired")

	// ErrBroken comes from a barrier; it wraps the failure of its action.
	ErrBroken = errors.New("barrier is broken")

	// ErrOverflow comes from an addition, and leaves the number as it was.
	ErrOverflow = errors.New("number does not fit")

	// ErrRange is what an index, or a number of parties or permits, is.
	ErrRange = errors.New("out of range")

	ErrClosed      = errors.New("closed")
	ErrTooLarge    = errors.New("too large")
	ErrTooManyDone = errors.New("more items done than were put")

	// ErrWouldBlock is what the calls that do not wait return instead.
	ErrWouldBlock = errors.New("would block")
	ErrFull       = fmt.Errorf("full: %w", ErrWouldBlock)
	ErrEmpty      = fmt.Errorf("empty: %w", ErrWouldBlock)

	ErrMismatch  = errors.New("opened as something else than it is")
	ErrNotFound  = errors.New("no object of this name")
	ErrExists    = errors.New("an object of this name exists")
	ErrRemoved   = errors.New("removed")
	ErrNotShared = errors.New("not shared: only objects of a manager travel")
	ErrNoManager = errors.New("no manager here")
	ErrLost      = errors.New("connection lost")
)

// orEnded is err, which says that o does not have something, unless that is so
// because o has ended.
func orEnded(o *owner.Owner, err error) error {
	if o != nil && o.Ended() {
		return ErrEnded
	}
	return err
}
