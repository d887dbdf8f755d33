package journal

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound is wrapped by errors about a run that is not in the store.
	ErrNotFound = errors.New("no such run")

	// ErrGone is the error of reading an output that was stored and is no longer:
	// it had been printed, and its room was needed. Also of one that never was
	// stored, because it had more bytes than there was room for.
	ErrGone = errors.New("the output is no longer stored")

	// ErrForeign is wrapped by errors about a folder or file in the state folder
	// that belongs to somebody else or is not what it should be.
	ErrForeign = errors.New("not this user's own")

	// ErrClosed is the error of using what has been closed.
	ErrClosed = errors.New("journal is closed")
)

// InUseError says that a run's lock is held: by its supervisor, by the guardian
// of one that was killed, or by a run that resumes it.
type InUseError struct {
	Run string
	PID int // who took the lock, 0 = not known
}

func (e *InUseError) Error() string {
	if e.PID > 0 {
		return fmt.Sprintf("run %s is in use by process %d", e.Run, e.PID)
	}
	return fmt.Sprintf("run %s is in use", e.Run)
}

// Is makes every InUseError match ErrInUse.
func (e *InUseError) Is(target error) bool { return target == ErrInUse }

// ErrInUse is matched by every InUseError.
var ErrInUse = errors.New("the run is in use")

// DamagedError says that a run's record cannot be read.
type DamagedError struct {
	Run  string
	Path string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("run %s is damaged: %s: %v; remove the run, or copy the file and try sqlite3 .recover", e.Run, e.Path, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// NewerError says that a run was written by a later version of the program.
type NewerError struct {
	Run            string
	Version, Known int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("run %s was written by a newer version: its journal has version %d, this program knows %d; use the newer one",
		e.Run, e.Version, e.Known)
}

// LostError says that a commit failed, and which record is the first that is not
// in the journal. Commits before it are whole.
type LostError struct {
	Label string // such as resize#17, "" when the commit held no record
	Lost  int    // records of the commit
	Err   error
}

func (e *LostError) Error() string {
	if e.Label == "" {
		return fmt.Sprintf("journal: %v", e.Err)
	}
	return fmt.Sprintf("journal: %d records are lost, the first is %s: %v", e.Lost, e.Label, e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }
