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

// readParts reads what there is into several places in turn. It returns 0 when
// there is nothing, or an end or error that an ordinary read will find.
func readParts(fd uintptr, parts ...[]byte) int {
	var iovs [2]syscall.Iovec
	for i, p := range parts {
		iovs[i].Base = unsafe.SliceData(p)
		iovs[i].SetLen(len(p))
	}
	n, _, errno := syscall.Syscall(syscall.SYS_READV, fd, uintptr(unsafe.Pointer(&iovs)), uintptr(len(parts)))
	if errno != 0 {
		return 0
	}
	return int(n)
}

// writeParts writes as much of parts as fits.
func writeParts(fd uintptr, parts [][]byte) (int, error) {
	var iovs [2*MaxChunks + 2]syscall.Iovec
	parts = parts[:min(len(parts), len(iovs))]
	for i, p := range parts {
		iovs[i].Base = unsafe.SliceData(p)
		iovs[i].SetLen(len(p))
	}
	n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&iovs)), uintptr(len(parts)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
