//go:build linux && (amd64 || arm64)

package worker

import (
	"io"
	"syscall"
)

// fileOffset is the write offset of a descriptor that can have one. It is asked
// for twice a job, and never waits: to tell the scheduler of it would cost a
// third more.
func fileOffset(fd int) (uint64, bool) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_LSEEK, uintptr(fd), 0, io.SeekCurrent)
	return uint64(n), errno == 0
}
