//go:build unix && !(linux && (amd64 || arm64))

package worker

import (
	"io"
	"syscall"
)

// fileOffset is the write offset of a descriptor that can have one.
func fileOffset(fd int) (uint64, bool) {
	n, err := syscall.Seek(fd, 0, io.SeekCurrent)
	return uint64(n), err == nil
}
