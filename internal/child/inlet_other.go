//go:build !linux

package child

import "os"

// inlet is the reading end of a pipe.
type inlet = os.File

func inletPipe() (r *inlet, w *os.File, err error) { return os.Pipe() }
