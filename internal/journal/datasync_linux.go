package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync makes the bytes of a file durable, and of what is known about it only
// its size.
func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
		return nil
	}
}
