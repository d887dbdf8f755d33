package death

import "syscall"

// Signals with which the kernel holds a limit: there are none.
const (
	xfsz = syscall.Signal(0)
	xcpu = syscall.Signal(0)
)
