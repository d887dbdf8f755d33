//go:build unix

package ipc

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func writeFD(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }

// nonblocking reports whether a write to the descriptor returns when it is full.
func nonblocking(raw syscall.RawConn) bool {
	flags := 0
	err := raw.Control(func(fd uintptr) { flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0) })
	return err == nil && flags&unix.O_NONBLOCK != 0
}
