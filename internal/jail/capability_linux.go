package jail

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Needed are the capabilities that a stub works with, in its own user namespace. A
// guardian that is not root has to make them ambient, or they are lost by the stub's
// own exec.
var Needed = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP}

// dropBounding takes away what a program could be given by exec: that it is root, or
// that its file has capabilities.
func dropBounding() error {
	for c := uintptr(0); ; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			if c > unix.CAP_SETFCAP && errors.Is(err, unix.EINVAL) { // the kernel knows no more
				break
			}
			return err
		}
	}
	return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
}

// dropAll gives up all capabilities of this thread, and of all others where the
// runtime can. With cgo it cannot: the others keep theirs, which hold only inside of
// the namespaces, in a process that nobody inside may trace or read.
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
