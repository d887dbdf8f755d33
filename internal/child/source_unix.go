//go:build unix

package child

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// readNow reads what is in a pipe, and takes an empty one for ended.
func readNow(f syscall.Conn, p []byte) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { // Read would heed the deadline
		for {
			if n, failed = syscall.Read(int(fd), p); failed != syscall.EINTR {
				return
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case errors.Is(failed, syscall.EAGAIN), failed == nil && n == 0:
		return 0, io.EOF
	case failed != nil:
		return 0, os.NewSyscallError("read", failed)
	}
	return n, nil
}
