//go:build unix

package lab

import "syscall"

// noCore keeps this process from leaving a core file behind when it ends, as it is
// about to on purpose.
func noCore() error { return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }
