//go:build unix

package pool

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// stackSignals make a worker that knows how write its stacks, and end: one that is
// stopped has to go on first.
var stackSignals = []syscall.Signal{syscall.SIGCONT, syscall.SIGQUIT}

// quit is the last of them.
const quit = syscall.SIGQUIT

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String()
}
