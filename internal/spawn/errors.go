package spawn

import (
	"errors"
	"fmt"
	"strconv"
)

// Errors of Open, Start and Process. They come wrapped; use errors.Is.
var (
	// ErrClosed is returned by Start after Close.
	ErrClosed = errors.New("guardian is closed")

	// ErrLost is returned by a Start that was under way when the guardian
	// died. What it may have started has been killed.
	ErrLost = errors.New("guardian was lost")

	// ErrEnded is returned by Mark and Measure when the process has ended.
	ErrEnded = errors.New("process has ended")

	// ErrBreached is returned by Mark when the process is being killed for a limit.
	ErrBreached = errors.New("process is being killed for a limit")

	// ErrNoGuardMain is returned when the program that was executed as the
	// guardian did not act as one: its main must call GuardMain (or
	// worker.Init, which does) before anything else.
	ErrNoGuardMain = errors.New("program did not enter GuardMain")

	// ErrInsideGuardian is returned by Open in a process that was itself
	// started as a guardian and went past GuardMain. Without it, such a
	// program would start guardians of guardians without end.
	ErrInsideGuardian = errors.New("this process was started as a guardian")
)

// LeakError is returned by Close when processes could not be ended: they are stuck in the
// kernel, or may not be killed by this user.
type LeakError struct{ PIDs []int }

func (e *LeakError) Error() string { return fmt.Sprintf("processes %v could not be killed", e.PIDs) }

// StartError says why a process could not be started.
type StartError struct {
	Path string // the program
	// Op is the step that failed: "exec" and "chdir" are about the Spec,
	// "confine" is about its limits and level; "pass" (descriptors could not be
	// handed over) and "guardian" are not about it.
	Op     string
	Detail string // figures that the error number does not tell, may be empty
	Err    error  // a syscall.Errno where the system refused, e.g. ENOENT, EACCES, E2BIG, EMFILE
}

func (e *StartError) Error() string {
	s := "start " + strconv.Quote(e.Path) + ": " + e.Op + ": " + e.Err.Error()
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

func (e *StartError) Unwrap() error { return e.Err }
