//go:build unix

package queue

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// rawIO says that descriptors can be read and written without waiting.
const rawIO = true

func readFD(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

func writeFD(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

// pollable returns a file for the same pipe or socket that the runtime can poll,
// if f is not one itself: an inherited descriptor is usually in blocking mode.
// It returns nil if f needs or allows no such help.
func pollable(f *os.File) *os.File {
	if f.SetDeadline(time.Time{}) == nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	dup := -1
	raw.Control(func(fd uintptr) {
		if n, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			dup = n
		}
	})
	if dup < 0 {
		return nil
	}
	if err := unix.SetNonblock(dup, true); err != nil {
		unix.Close(dup)
		return nil
	}
	return os.NewFile(uintptr(dup), f.Name())
}
