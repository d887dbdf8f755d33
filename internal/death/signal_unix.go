//go:build unix

package death

import "syscall"

// Signals with which the kernel holds a limit.
const (
	xfsz = syscall.SIGXFSZ
	xcpu = syscall.SIGXCPU
)
