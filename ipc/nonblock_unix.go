//go:build unix

package ipc

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func writeFD(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }

// nonblocking reports whether a write to the descriptor returns when it is full.
func nonblocking(raw syscall.RawConn) bool {
	flags := 0
	err := raw.Control(func(fd uintptr) { flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0) })
	return err == nil && flags&unix.O_NONBLOCK != 0
}

// readNow reads what there is without telling the scheduler: on a descriptor that
// does not block, that is over before it could act. It returns 0 when there is
// nothing, or an end or error that an ordinary read will find.
func readNow(fd uintptr, p []byte) int {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 || int(n) <= 0 {
		return 0
	}
	return int(n)
}
