package pool

import "syscall"

<<<<<<< HEAD
// gone cannot tell there whether a process is.
func gone(int) bool { return false }
=======
// stackSignals are none: a worker cannot be asked for its stacks.
var stackSignals []syscall.Signal

// quit is what such a worker would have ended by.
const quit = syscall.SIGQUIT
>>>>>>> 04cd508 (Bound what an attempt may use, and say which limit it went over)

func signalName(s syscall.Signal) string { return s.String() }
