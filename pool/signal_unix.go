//go:build unix

package pool

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// gone reports whether no process has this id.
func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String()
}
