package jail

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// denied are the system calls that a sandboxed program gets EPERM for: those that
// look into other processes, change mounts or namespaces, load code into the kernel,
// set the machine's clock or power, or have a history of holes that no ordinary
// program needs. Which exist depends on the architecture: seccomp_*.go add the others.
var denied = []uint32{
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE,
	unix.SYS_PIDFD_GETFD, unix.SYS_KCMP, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_TREE_ATTR,
	unix.SYS_SETNS, unix.SYS_UNSHARE,
	unix.SYS_BPF, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_KEXEC_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
	unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_NFSSERVCTL,
}

// modeCall is a system call that gives a file its mode, in argument mode; if flags is
// not -1, only when this argument says that the file is made.
type modeCall struct {
	number      uint32
	mode, flags int
}

// modeCalls get EPERM for a mode with a set-id bit. The working directory of a sandbox
// under root is the host's, and what is made there may belong to root outside: such a
// program would be root's, for everybody there. seccomp_*.go add the older ones.
var modeCalls = []modeCall{
	{unix.SYS_FCHMOD, 1, -1}, {unix.SYS_FCHMODAT, 2, -1}, {unix.SYS_FCHMODAT2, 2, -1},
	{unix.SYS_MKNODAT, 2, -1}, {unix.SYS_OPENAT, 3, 2},
}

const (
	setID    = unix.S_ISUID | unix.S_ISGID
	creating = unix.O_CREAT | unix.O_TMPFILE&^unix.O_DIRECTORY

	newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
		unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME

	tiocsti   = 0x5412 // types into a terminal
	tioclinux = 0x541c // pastes into a console

	// x32 marks calls of the third ABI of amd64, which number as the second does.
	x32 = 0x40000000
)

// Offsets in the kernel's struct seccomp_data, on a machine of this byte order.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16
)

// auditArch is how the kernel names an architecture to a filter; 0 = no filter is made
// for it: older ones have second numbers for some of these calls.
var auditArch = map[string]uint32{
	"amd64":   unix.AUDIT_ARCH_X86_64,
	"arm64":   unix.AUDIT_ARCH_AARCH64,
	"riscv64": unix.AUDIT_ARCH_RISCV64,
	"loong64": unix.AUDIT_ARCH_LOONGARCH64,
}[runtime.GOARCH]

// filter is the program that the kernel runs before each system call. Jumps are
// relative, and go forward only.
//
// It is written out here because the numbers that matter are 32 bits wide for the
// kernel, whatever the upper half of a register holds, and because a foreign
// architecture must be refused: its calls have other numbers.
func filter() []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		least = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		any   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K

		allow = unix.SECCOMP_RET_ALLOW
		eperm = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		// As if the kernel had none: callers fall back to what it has.
		enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	low := func(arg uint32) uint32 {
		if bigEndian {
			return dataArgs + 8*arg + 4
		}
		return dataArgs + 8*arg
	}
	f := []unix.SockFilter{
		{Code: load, K: dataArch},
		{Code: equal, K: auditArch, Jt: 1},
		{Code: ret, K: enosys},
		{Code: load, K: dataNumber},
	}
	if runtime.GOARCH == "amd64" {
		f = append(f,
			unix.SockFilter{Code: least, K: x32, Jf: 1},
			unix.SockFilter{Code: ret, K: enosys})
	}
	// What these are to do is in memory, where a filter cannot look.
	for _, number := range []uint32{unix.SYS_CLONE3, unix.SYS_OPENAT2} {
		f = append(f,
			unix.SockFilter{Code: equal, K: number, Jf: 1},
			unix.SockFilter{Code: ret, K: enosys})
	}
	for _, number := range denied {
		f = append(f,
			unix.SockFilter{Code: equal, K: number, Jf: 1},
			unix.SockFilter{Code: ret, K: eperm})
	}
	for _, c := range modeCalls {
		check := []unix.SockFilter{
			{Code: load, K: low(uint32(c.mode))},
			{Code: any, K: setID, Jf: 1},
			{Code: ret, K: eperm},
			{Code: ret, K: allow},
		}
		if c.flags >= 0 {
			check = append([]unix.SockFilter{
				{Code: load, K: low(uint32(c.flags))},
				{Code: any, K: creating, Jf: 3},
			}, check...)
		}
		f = append(f, unix.SockFilter{Code: equal, K: c.number, Jf: uint8(len(check))})
		f = append(f, check...)
	}
	return append(f,
		unix.SockFilter{Code: equal, K: unix.SYS_CLONE, Jf: 4},
		unix.SockFilter{Code: load, K: low(0)},
		unix.SockFilter{Code: any, K: newNamespaces, Jf: 1},
		unix.SockFilter{Code: ret, K: eperm},
		unix.SockFilter{Code: ret, K: allow},

		unix.SockFilter{Code: equal, K: unix.SYS_IOCTL, Jf: 5},
		unix.SockFilter{Code: load, K: low(1)},
		unix.SockFilter{Code: equal, K: tiocsti, Jt: 1},
		unix.SockFilter{Code: equal, K: tioclinux, Jf: 1},
		unix.SockFilter{Code: ret, K: eperm},
		unix.SockFilter{Code: ret, K: allow},

		// Machines talk to their host by it, past the network namespace.
		unix.SockFilter{Code: equal, K: unix.SYS_SOCKET, Jf: 3},
		unix.SockFilter{Code: load, K: low(0)},
		unix.SockFilter{Code: equal, K: unix.AF_VSOCK, Jf: 1},
		unix.SockFilter{Code: ret, K: eperm},
		unix.SockFilter{Code: ret, K: allow})
}

var bigEndian = func() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 0
}()

// newFilter returns the filter, once it is known that the kernel takes one.
func newFilter() ([]unix.SockFilter, error) {
	if auditArch == 0 {
		return nil, unix.EOPNOTSUPP
	}
	action := uint32(unix.SECCOMP_RET_ERRNO)
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action))); errno != 0 {
		return nil, errno
	}
	return filter(), nil
}
