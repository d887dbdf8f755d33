package pooltest

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func freeze() error { return raise(unix.SIGSTOP) }

// raise sends a signal to the thread that it runs on, so that it has been acted
// upon when this returns, if it does.
func raise(sig syscall.Signal) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("pooltest: %w", err)
	}
	if sig != unix.SIGKILL && sig != unix.SIGSTOP {
		var byDefault [64]byte // a struct sigaction of zeros: SIG_DFL, no flags
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
		if errno != 0 {
			return fmt.Errorf("pooltest: action of signal %d: %w", sig, errno)
		}
	}
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), sig); err != nil {
		return fmt.Errorf("pooltest: signal %d: %w", sig, err)
	}
	return nil
}
