package spawn

import (
	"syscall"
	"time"
)

// Status is how a process ended. It is valid once Done is closed.
type Status struct {
	// Code is the exit code, -1 when a signal ended the process or its end was
	// not seen.
	Code   int
	Signal syscall.Signal // the signal that ended it, or 0
	Core   bool           // it left a core dump

	// User and System are the CPU time of the process and of the descendants
	// it waited for.
	User, System time.Duration

	// MaxRSS is the largest resident set of any one of these, in bytes. It is
	// never below the guardian's own, a few MiB, which the process had before
	// exec. 0 where the system does not tell.
	MaxRSS int64

	// End is when the process itself ended.
	End time.Time

	// Lost says that the guardian died first: how the process ended is not
	// known, only that it did.
	Lost bool

	// Breach is the limit for which the tree was killed, or under which the process
	// ended. Nil = none.
	Breach *Breach

	// OOM says that the kernel killed a process of the tree for want of memory though
	// the tree was within its limit, if it had one: the machine, or a control group
	// around the supervisor, was out of it.
	OOM bool

	// Usage is what the tree has used, where that could be measured: zero for a plain
	// process.
	Usage Usage

	// Isolation names what kept the process from others, such as "process", "pid",
	// "seccomp". Nil for a plain process.
	Isolation []string

	// TreeEmpty says that nothing is left of the process and its descendants. It is
	// false when some could not be killed within 5 s, or may not be killed by
	// this user; Leaked has their process ids. The process itself may be one of
	// them, stuck in the kernel: then Code is -1 and Signal 0. Off Linux it says only that the
	// process group is empty. Leaked may name processes although TreeEmpty is
	// true: orphans that left their session, hide their environment, and could
	// as well belong to another process that still runs; they are killed when
	// the last process that could own them ends.
	TreeEmpty bool
	Leaked    []int
}

// Success reports whether the process exited with code 0.
func (s Status) Success() bool { return !s.Lost && s.Signal == 0 && s.Code == 0 }
