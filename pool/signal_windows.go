package pool

import "syscall"

// canQuit says that no worker can be asked for its stacks here.
const canQuit = false

const quit = syscall.SIGQUIT

func signalName(s syscall.Signal) string { return s.String() }
