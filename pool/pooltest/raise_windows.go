package pooltest

import (
	"errors"
	"fmt"
	"syscall"
)

func freeze() error { return fmt.Errorf("pooltest: freeze: %w", errors.ErrUnsupported) }

func raise(sig syscall.Signal) error {
	return fmt.Errorf("pooltest: signal %d: %w", sig, errors.ErrUnsupported)
}
