package spawn

import (
	"os"
	"syscall"
	"time"
)

func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// deliver ends the process: no other signal exists.
func deliver(child *os.Process, _ syscall.Signal, _ scope) error { return child.Kill() }

func emptyGroup(int) bool { return true }

func status(state *os.ProcessState) Status {
	return Status{Code: state.ExitCode(), User: state.UserTime(), System: state.SystemTime(), End: time.Now()}
}
