package report

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// openSpool opens a new file that no path leads to. Where the file system has no
// such files it is at path.
func openSpool(path string) (*spool, error) {
	f, err := os.OpenFile(filepath.Dir(path), unix.O_TMPFILE|os.O_RDWR, 0o644)
	if err == nil {
		return &spool{File: f}, nil
	}
	return openNamed(path)
}

// name gives the spool a name, which must be new, and closes it.
func (s *spool) name(path string) error {
	if s.path != "" {
		return s.rename(path)
	}
	// What an unprivileged process may link is its descriptor's entry in /proc.
	err := unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(s.Fd())), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "link", Old: s.File.Name(), New: path, Err: err}
	}
	return s.Close()
}
