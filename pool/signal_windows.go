package pool

import "syscall"

// stackSignals are none: a worker cannot be asked for its stacks.
var stackSignals []syscall.Signal

// quit is what such a worker would have ended by.
const quit = syscall.SIGQUIT

func signalName(s syscall.Signal) string { return s.String() }
