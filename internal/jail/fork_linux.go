package jail

import (
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// program is what launch executes, as the kernel wants it.
type program struct {
	path       *byte
	argv, envv []*byte // nil at the end
	joins      []int
	rlimits    []Rlimit
}

func newProgram(path string, argv, envv []string, joins []int, rlimits []Rlimit) (*program, error) {
	p := &program{joins: joins, rlimits: rlimits}
	var err error
	if p.path, err = syscall.BytePtrFromString(path); err != nil {
		return nil, err
	}
	if p.argv, err = syscall.SlicePtrFromStrings(argv); err != nil {
		return nil, err
	}
	p.envv, err = syscall.SlicePtrFromStrings(envv)
	return p, err
}

// What a failed child says in the second word of its message.
const (
	childJoin = iota + 1
	childLimit
	childExec
)

// launch starts the program as a child in a session of its own. The child has this
// thread's capabilities, Landlock rules and filter. Rlimits and groups are the child's
// alone: in a group with little memory, or with few descriptors, the stub itself could
// not live, which is why syscall.ForkExec does not do. The stub's signal dispositions
// are the default ones by now. It returns when exec has succeeded or failed.
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
	var (
		told   [2]uint32
		none   [16]uint64 // an empty signal mask
		limit  [2]uint64  // struct rlimit64: soft, hard
		zero   = [1]byte{'0'}
		flags  = uintptr(unix.SIGCHLD)
		first  = flags
		second uintptr
	)
	if runtime.GOARCH == "s390x" {
		first, second = 0, flags
	}
	r, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, first, second, 0, 0, 0, 0)
	if errno != 0 || r != 0 {
		return int(r), errno
	}

	step := uint32(childExec)
	if _, _, errno = syscall.RawSyscall(unix.SYS_SETSID, 0, 0, 0); errno != 0 {
		goto failed
	}
	step = childJoin
	for i := 0; i < len(p.joins); i++ {
		if _, _, errno = syscall.RawSyscall(unix.SYS_WRITE, uintptr(p.joins[i]), uintptr(unsafe.Pointer(&zero[0])), 1); errno != 0 {
			goto failed
		}
	}
	step = childLimit
	for i := 0; i < len(p.rlimits); i++ {
		limit[0], limit[1] = p.rlimits[i].Value, p.rlimits[i].Value
		if _, _, errno = syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, uintptr(p.rlimits[i].Resource), uintptr(unsafe.Pointer(&limit[0])), 0, 0, 0); errno != 0 {
			goto failed
		}
	}
	step = childExec
	if _, _, errno = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none[0])), 0, sigsetSize, 0, 0); errno != 0 {
		goto failed
	}
	_, _, errno = syscall.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(p.path)), uintptr(unsafe.Pointer(&p.argv[0])), uintptr(unsafe.Pointer(&p.envv[0])))
failed:
	told[0], told[1] = uint32(errno), step
	syscall.RawSyscall(unix.SYS_WRITE, uintptr(pipe), uintptr(unsafe.Pointer(&told[0])), 8)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
	}
}

// sigsetSize is the size of the kernel's signal set, in bytes.
var sigsetSize = func() uintptr {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return 16
	}
	return 8
}()
