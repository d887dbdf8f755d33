package pool

import "syscall"

// gone cannot tell there whether a process is.
func gone(int) bool { return false }

func signalName(s syscall.Signal) string { return s.String() }
