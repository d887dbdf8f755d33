//go:build unix && !linux

package spawn

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// deliver signals the group for the whole tree. The leader is not reaped while
// p's handle is set, but it may be about to be: os.Process knows, and is asked
// first.
func deliver(child *os.Process, sig syscall.Signal, to scope) error {
	if to == onlyProcess {
		return child.Signal(sig)
	}
	if err := child.Signal(sig); err != nil {
		return err
	}
	_ = syscall.Kill(-child.Pid, sig)
	_ = syscall.Kill(-child.Pid, syscall.SIGCONT)
	return nil
}

// emptyGroup kills what is left of a group whose leader was reaped: its id
// stays taken as long as it has members.
func emptyGroup(pid int) bool {
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	return syscall.Kill(-pid, 0) == syscall.ESRCH
}

func status(state *os.ProcessState) Status {
	s := Status{Code: state.ExitCode(), User: state.UserTime(), System: state.SystemTime(), End: time.Now()}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		s.Signal, s.Core = ws.Signal(), ws.CoreDump()
	}
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok {
		s.MaxRSS = int64(ru.Maxrss)
		if runtime.GOOS != "darwin" && runtime.GOOS != "ios" {
			s.MaxRSS <<= 10 // others count in KiB
		}
	}
	return s
}
