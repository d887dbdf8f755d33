package jail

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Needed are the capabilities that a stub works with, in its own user namespace. A
// guardian that is not root has to make them ambient, or they are lost by the stub's
// own exec.
var Needed = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP, unix.CAP_SYS_RESOURCE}

// forbidUsers lets nobody in this user namespace make another: there, a process has all
// capabilities again, which reach nothing outside, but much of the kernel that others
// cannot. It is best effort, since a container may have a /proc/sys that is read-only.
func forbidUsers() {
	fd, err := unix.Open("/proc/sys/user/max_user_namespaces", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, []byte("0"))
	unix.Close(fd)
}

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
