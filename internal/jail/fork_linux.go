package jail

import (
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// program is what launch executes, as the kernel wants it, and what is done to it
// before that.
type program struct {
	path       *byte // nil = nothing: the rest is only tried
	argv, envv []*byte
	joins      []int
	rlimits    []Rlimit
	noCaps     bool
	noNewPrivs bool
	ruleset    int // of Landlock; -1 = none
	filter     []unix.SockFilter
}

// name sets what is executed.
func (p *program) name(path string, argv, envv []string) (err error) {
	if p.path, err = syscall.BytePtrFromString(path); err != nil {
		return err
	}
	if p.argv, err = syscall.SlicePtrFromStrings(argv); err != nil {
		return err
	}
	p.envv, err = syscall.SlicePtrFromStrings(envv)
	return err
}

// What a failed child says in the second word of its message.
const (
	childExec = iota
	childJoin
	childCapabilities
	childPrivileges
	childLandlock
	childSeccomp
	childLimit
)

// childStep names these for people.
var childStep = [...]string{"exec", "join a control group", "drop capabilities", "no_new_privs", "landlock", "seccomp", "set a resource limit"}

// launch starts the program as a child in a session of its own. What a process does
// to itself only the child does: rules and filters are not for process 1, and with
// little memory, or few descriptors, that one could not live. This is why
// syscall.ForkExec does not do. The stub's signal dispositions are the default ones by
// now. It returns when exec has succeeded or failed, or a child that has nothing to
// execute has ended; pid is then 0.
func launch(p *program) (pid int, step int, err error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return 0, childExec, err
	}
	defer unix.Close(pipe[0])
	// No handler of the runtime may run in the child.
	all, old := unix.Sigset_t{}, unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		unix.Close(pipe[1])
		return 0, childExec, err
	}
	pid, errno := forkExec(p, pipe[1])
	unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	runtime.KeepAlive(p)
	unix.Close(pipe[1])
	if errno != 0 {
		return 0, childExec, errno
	}
	var told [2]uint32
	message := (*[8]byte)(unsafe.Pointer(&told))[:]
	for {
		n, err := unix.Read(pipe[0], message)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == len(message) {
			unix.Wait4(pid, nil, 0, nil)
			if told[0] == 0 {
				return 0, 0, nil
			}
			return 0, int(told[1]), syscall.Errno(told[0])
		}
		return pid, 0, nil
	}
}

// forkExec forks. The child has a copy of the memory and one thread: whatever needs
// the runtime, if only to grow its stack, could wait forever for a thread that is not
// there. So it makes raw system calls only.
//
//go:noinline
//go:norace
//go:nosplit
func forkExec(p *program, pipe int) (pid int, errno syscall.Errno) {
	first, second := uintptr(unix.SIGCHLD), uintptr(0)
	if runtime.GOARCH == "s390x" {
		first, second = second, first
	}
	r, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, first, second, 0, 0, 0, 0)
	if errno != 0 || r != 0 {
		return int(r), errno
	}
	var told [2]uint32
	if _, _, errno = syscall.RawSyscall(unix.SYS_SETSID, 0, 0, 0); errno == 0 {
		told[1], errno = execute(p)
	}
	told[0] = uint32(errno)
	syscall.RawSyscall(unix.SYS_WRITE, uintptr(pipe), uintptr(unsafe.Pointer(&told[0])), 8)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
	}
}

// execute makes this process the program. It returns the step that failed, or errno 0
// if there is nothing to execute.
//
//go:noinline
//go:norace
//go:nosplit
func execute(p *program) (step uint32, errno syscall.Errno) {
	var (
		none    [16]uint64 // an empty signal mask, or set of capabilities
		limit   [2]uint64  // struct rlimit64: soft, hard
		head    unix.CapUserHeader
		program unix.SockFprog
		zero    = [1]byte{'0'}
	)
	for i := 0; i < len(p.joins); i++ {
		if _, _, errno = syscall.RawSyscall(unix.SYS_WRITE, uintptr(p.joins[i]), uintptr(unsafe.Pointer(&zero[0])), 1); errno != 0 {
			return childJoin, errno
		}
	}
	if p.noCaps {
		// What a program could be given by exec: that it is root, or that its file has
		// capabilities. The kernel says EINVAL beyond the last that it knows; who has
		// no right to drop any has none to be given.
		for c := uintptr(0); c < 64; c++ {
			if _, _, errno = syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0, 0, 0, 0); errno == unix.EINVAL {
				break
			}
		}
		syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
		head.Version = unix.LINUX_CAPABILITY_VERSION_3
		if _, _, errno = syscall.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&none[0])), 0); errno != 0 {
			return childCapabilities, errno
		}
	}
	if p.noNewPrivs {
		if _, _, errno = syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
			return childPrivileges, errno
		}
	}
	if p.ruleset >= 0 {
		if _, _, errno = syscall.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(p.ruleset), 0, 0); errno != 0 {
			return childLandlock, errno
		}
	}
	if len(p.filter) > 0 {
		program.Len, program.Filter = uint16(len(p.filter)), &p.filter[0]
		if _, _, errno = syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); errno != 0 {
			return childSeccomp, errno
		}
	}
	if p.path == nil {
		return 0, 0
	}
	for i := 0; i < len(p.rlimits); i++ {
		limit[0], limit[1] = p.rlimits[i].Value, p.rlimits[i].Value
		if _, _, errno = syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, uintptr(p.rlimits[i].Resource), uintptr(unsafe.Pointer(&limit[0])), 0, 0, 0); errno != 0 {
			return childLimit, errno
		}
	}
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none[0])), 0, sigsetSize, 0, 0)
	_, _, errno = syscall.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(p.path)), uintptr(unsafe.Pointer(&p.argv[0])), uintptr(unsafe.Pointer(&p.envv[0])))
	return childExec, errno
}

// sigsetSize is the size of the kernel's signal set, in bytes.
var sigsetSize = func() uintptr {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return 16
	}
	return 8
}()
