package batch

import (
	"errors"
	"fmt"
)

var (
	errNoMatch  = errors.New("no file matches")
	errHalted   = errors.New("the run is halting")
	errStoodOut = errors.New("the run did not end in time")
	errNotKept  = errors.New("its result was too large to be kept")
)

// dirError is a working directory in which nothing can be started.
type dirError struct {
	dir   string
	cause error
}

func (e *dirError) Error() string { return fmt.Sprintf("cwd %s: %v", e.dir, e.cause) }

func (e *dirError) Unwrap() error { return e.cause }

// UsageError is why a run never began: the file asks for something that is not
// there. It stands for exit code 2.
type UsageError struct{ Problems []string }

// Error gives one line for each problem.
func (e *UsageError) Error() string {
	s := ""
	for i, p := range e.Problems {
		if i > 0 {
			s += "\n"
		}
		s += p
	}
	return s
}
