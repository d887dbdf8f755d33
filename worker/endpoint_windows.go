package worker

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// openLink takes the standard handles for the link, and leaves the program
// others: what it prints goes to stderr.
func openLink() (endpoint, error) {
	e := endpoint{in: os.Stdin, out: os.Stdout}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return e, fmt.Errorf("open the null device: %w", err)
	}
	os.Stdin, os.Stdout = null, os.Stderr
	return e, nil
}

// brokenPipe reports that the other end of the link was closed.
func brokenPipe(err error) bool { return errors.Is(err, syscall.ERROR_BROKEN_PIPE) }
