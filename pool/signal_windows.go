package pool

import "syscall"

// stackSignals are none: a worker cannot be asked for its stacks.
var stackSignals []syscall.Signal

const quit = syscall.SIGQUIT

func signalName(s syscall.Signal) string { return s.String() }
