//go:build unix

package batch

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// signalName gives a name like SIGSEGV, "" for a number without one.
func signalName(n int) string { return unix.SignalName(syscall.Signal(n)) }
