package pool

import (
	"os"

	"golang.org/x/sys/unix"
)

// unnamedFile opens a new file that no path leads to and that is gone with its
// last descriptor, even when this process is killed. Where the file system does
// not know such files, one is made and unlinked.
func unnamedFile(dir string, flag int) (*os.File, error) {
	dir = spillName(dir)
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC|flag, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), dir+"/(unnamed)"), nil
	}
	f, err := os.CreateTemp(dir, ".multiproc-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	if flag != 0 {
		if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFL, flag); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

func punch(f *os.File, off, n int64) {
	// Where it is not supported the blocks stay until the file is closed.
	unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}
