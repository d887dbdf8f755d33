//go:build unix && !linux

package pooltest

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func freeze() error { return raise(syscall.SIGSTOP) }

// raise sends this process a signal. It may be another thread that takes it, a
// moment later.
func raise(sig syscall.Signal) error {
	signal.Reset(sig)
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		return fmt.Errorf("pooltest: signal %d: %w", sig, err)
	}
	return nil
}
