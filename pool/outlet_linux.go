package pool

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readNow reads from a descriptor that does not block, without telling the
// runtime, whose monitor thread is woken by every other call and then looks around
// for a while: for a command that takes a millisecond that counts.
func readNow(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	runtime.KeepAlive(b)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
