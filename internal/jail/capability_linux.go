package jail

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Needed are the capabilities that a stub works with, in its own user namespace. A
// guardian that is not root has to make them ambient, or they are lost by the stub's
// own exec.
var Needed = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP}

// dropAll gives up the capabilities of process 1, on all threads where the runtime
// can. With cgo it can only on this one; those of the others hold only inside of the
// namespaces, in a process that nobody inside may trace or read.
func dropAll() error {
	head := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(head)), uintptr(unsafe.Pointer(&none[0])), 0)
	if errno == unix.ENOTSUP {
		return unix.Capset(head, &none[0])
	}
	if errno != 0 {
		return errno
	}
	return nil
}
