package broker

import (
	"errors"
	"fmt"
)

// Errors of requests. Packages psync, queue and manager give them to their users
// under their own names, wrapped with the object's.
var (
	// ErrEnded is what an owner that has ended gets.
	ErrEnded = errors.New("owner has ended")

	ErrNoOwner          = errors.New("no owner in this context")
	ErrNotLocked        = errors.New("not locked")
	ErrNotOwner         = errors.New("held by somebody else, or by nobody")
	ErrTakenAway        = fmt.Errorf("released by somebody else meanwhile: %w", ErrNotLocked)
	ErrReleasedTooOften = errors.New("released more often than acquired")
	ErrBroken           = errors.New("barrier is broken")
	ErrOverflow         = errors.New("number does not fit")
	ErrRange            = errors.New("index out of range")

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
