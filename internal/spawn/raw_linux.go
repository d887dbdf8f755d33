package spawn

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls that do not block are made here without telling the runtime. Each of
// the others wakes the runtime's monitor thread, when it sleeps, which then looks
// around every 20 µs for a while; and it takes the processor away from a thread that
// is preempted in one, as those are that wake somebody up.

// rawSend sends a packet, with descriptors or nil. It reports EAGAIN when there is no
// room.
func rawSend(fd int, b, oob []byte) error {
	part := unix.Iovec{Base: unsafe.SliceData(b)}
	part.SetLen(len(b))
	head := unix.Msghdr{Iov: &part, Iovlen: 1, Control: unsafe.SliceData(oob)}
	head.SetControllen(len(oob))
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&head)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		runtime.KeepAlive(b)
		runtime.KeepAlive(oob)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// rawRead reads from a descriptor that does not block.
func rawRead(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		runtime.KeepAlive(b)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// rawPread reads the beginning of a file of /proc, into which nothing is written that
// would take long. -1 = that failed.
func rawPread(fd int, b []byte) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	runtime.KeepAlive(b)
	if errno != 0 {
		return -1
	}
	return int(n)
}

// rawWait reaps a child that has ended; 0 = it has not.
func rawWait(pid int, status *syscall.WaitStatus, usage *syscall.Rusage) int {
	var code int32
	n, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&code)), unix.WNOHANG, uintptr(unsafe.Pointer(usage)), 0, 0)
	if errno != 0 {
		return 0
	}
	*status = syscall.WaitStatus(code)
	return int(n)
}

// rawBlock puts a descriptor into blocking mode, in which most are.
func rawBlock(fd int) error {
	flags, _, errno := unix.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0)
	if errno == 0 && flags&unix.O_NONBLOCK != 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_SETFL, flags&^unix.O_NONBLOCK)
	}
	if errno != 0 {
		return errno
	}
	return nil
}

func rawClose(fd int) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// inbox receives packets with descriptors. It lives on the heap: the kernel has
// its addresses.
type inbox struct {
	head unix.Msghdr
	part unix.Iovec
	data []byte
	oob  [1024]byte // more than CmsgSpace(4*maxFiles+4)
}

// receive is the function of that name, once, without waiting.
func (in *inbox) receive(fd int) (n int, fds []int, truncated bool, err error) {
	in.part.Base = unsafe.SliceData(in.data)
	in.part.SetLen(len(in.data))
	in.head = unix.Msghdr{Iov: &in.part, Iovlen: 1, Control: &in.oob[0]}
	in.head.SetControllen(len(in.oob))
	got, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&in.head)), unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if errno != 0 {
		return 0, nil, false, errno
	}
	if in.head.Controllen > 0 {
		if fds, err = descriptors(in.oob[:in.head.Controllen]); err != nil {
			return 0, nil, false, err
		}
	}
	return int(got), fds, in.head.Flags&unix.MSG_CTRUNC != 0, nil
}
