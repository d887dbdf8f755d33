//go:build unix

package pool

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// canQuit says that a worker which knows how can be made to write its stacks, and end,
// by quit. One that is stopped is not: to let it go on would let its job go on.
const canQuit = true

const quit = syscall.SIGQUIT

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String()
}
