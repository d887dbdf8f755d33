//go:build unix

package pool

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// stackSignals make a worker that knows how write its stacks, and end. One that is
// stopped goes on behind the other, and so does its job, but for an instant.
var stackSignals = []syscall.Signal{quit, syscall.SIGCONT}

const quit = syscall.SIGQUIT

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String()
}
