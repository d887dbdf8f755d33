package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// unnamed makes a file in dir that never has a name, so that a SIGKILL at any
// moment leaves none behind.
func unnamed(dir string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return f, nil
	}
	return unnamedIn(dir) // a file system without such files
}
