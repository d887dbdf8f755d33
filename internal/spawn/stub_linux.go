package spawn

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
)

// A stub is this program once more, between the fork and the exec of a process
// that needs more there than syscall.SysProcAttr can say. It does what its spec
// says and becomes the process: same id, same session, same descriptors. Over a
// close-on-exec socket the lane reads what went wrong; nothing but its end means
// that the exec has succeeded.

func init() {
	// Here and not in main, so that any program that can be a guardian can be a stub,
	// and is one before it does anything of its own.
	if boot.Role == boot.Jail {
		runtime.LockOSThread()
		stubMain()
	}
}

// stubSpec is what a stub does, before the request's strings, as JSON.
type stubSpec struct {
	Rlimits rlimits `json:",omitzero"`
	// Joins are descriptors of files of v1 groups; who writes 0 to one joins the group.
	Joins []int `json:",omitempty"`
}

// rlimits are those of the process, and of each of its descendants. Zero leaves one
// as it is.
type rlimits struct {
	Files    uint64 `json:",omitempty"`
	FileSize uint64 `json:",omitempty"` // bytes
}

// start executes the request by way of a stub. joins are open in this process, and
// spec.Joins is set by it.
func (spec *stubSpec) start(req *request, attr *syscall.ProcAttr, joins []int) (pid int, err error) {
	spec.Joins = nil
	for i := range joins {
		spec.Joins = append(spec.Joins, len(attr.Files)+2+i)
	}
	head, err := json.Marshal(spec)
	if err != nil {
		return 0, &confineError{"encode what the stub has to do", err}
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(head)))
	text, err := memfd(append(append(b, head...), req.strings...))
	if err != nil {
		return 0, &confineError{"memfd for the stub", err}
	}
	defer unix.Close(text)
	ours, theirs, err := reportPair()
	if err != nil {
		return 0, &confineError{"socket for the stub", err}
	}
	defer unix.Close(ours)
	if _, err := unix.Seek(text, 0, 0); err != nil {
		unix.Close(theirs)
		return 0, &confineError{"memfd for the stub", err}
	}

	own := *attr
	n := len(attr.Files)
	own.Files = append(append(make([]uintptr, 0, n+2+len(joins)), attr.Files...), uintptr(text), uintptr(theirs))
	for _, fd := range joins {
		own.Files = append(own.Files, uintptr(fd))
	}
	own.Env = []string{boot.JailMarker + "=spec=" + strconv.Itoa(n) + " report=" + strconv.Itoa(n+1)}
	if k := len(req.envv); k > 0 && isMarker(req.envv[k-1]) {
		// By which a sweep finds it.
		own.Env = append(own.Env, req.envv[k-1])
	}
	pid, err = syscall.ForkExec("/proc/self/exe", []string{req.argv[0], "jail"}, &own)
	unix.Close(theirs)
	if err != nil {
		return 0, err
	}
	if err := awaitStub(ours); err != nil {
		var ws syscall.WaitStatus
		for {
			if _, werr := syscall.Wait4(pid, &ws, 0, nil); werr != syscall.EINTR {
				break
			}
		}
		rawClose(*own.Sys.PidFD)
		return 0, err
	}
	return pid, nil
}

// reportPair is a socket pair of which both ends block.
func reportPair() (ours, theirs int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	return fds[0], fds[1], err
}

// awaitStub returns when the stub has become the process, or with its error. A stub
// that was killed before has said nothing: then the wait status tells.
func awaitStub(fd int) error {
	var b [startedLen + maxDetail]byte
	n, err := retry(func() (int, error) { return unix.Read(fd, b[:]) })
	if err != nil || n < 5 {
		return nil
	}
	errno := syscall.Errno(binary.LittleEndian.Uint32(b[1:]))
	if b[0] == opConfine {
		return &confineError{string(b[5:n]), errno}
	}
	return errno
}

// confineError is a step of the confinement that failed.
type confineError struct {
	what string
	err  error
}

func (e *confineError) Error() string { return e.what }
func (e *confineError) Unwrap() error { return e.err }

// stubMain never returns.
func stubMain() {
	// Threads that it started, once it is in its groups, would count there.
	debug.SetGCPercent(-1)
	if boot.Err != nil {
		fmt.Fprintln(os.Stderr, "jail:", boot.Err)
		os.Exit(2)
	}
	op, err := becomeProcess()
	detail := ""
	if op == opConfine {
		detail = err.Error()
		detail = detail[:min(len(detail), maxDetail)]
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		errno = syscall.EINVAL
	}
	b := binary.LittleEndian.AppendUint32([]byte{op}, uint32(errno))
	_, _ = unix.Write(boot.Report, append(b, detail...))
	os.Exit(126)
}

// becomeProcess returns only if that failed.
func becomeProcess() (op byte, err error) {
	b, err := readAll(boot.Spec)
	if err != nil {
		return opConfine, &confineError{"read what to do", err}
	}
	var spec stubSpec
	var req request
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.LittleEndian.Uint32(b)) {
		return opConfine, &confineError{"what to do is cut off", syscall.EBADMSG}
	}
	n := 4 + int(binary.LittleEndian.Uint32(b))
	if err := json.Unmarshal(b[4:n], &spec); err != nil {
		return opConfine, &confineError{"what to do is malformed", syscall.EBADMSG}
	}
	if err := req.decodeStrings(b[n:]); err != nil {
		return opConfine, &confineError{"what to do is malformed", syscall.EBADMSG}
	}
	for _, fd := range spec.Joins {
		syscall.CloseOnExec(fd)
	}
	if err := spec.join(); err != nil {
		return opConfine, err
	}
	if err := spec.Rlimits.set(); err != nil {
		return opConfine, err
	}
	return opExec, syscall.Exec(req.path, req.argv, req.envv)
}

// join makes this process, with all its threads, a member of the groups.
func (spec *stubSpec) join() error {
	zero := []byte("0")
	for _, fd := range spec.Joins {
		_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&zero[0])), 1)
		if errno != 0 {
			return &confineError{"join a group", errno}
		}
	}
	return nil
}

// set puts the limits in force. The one of descriptors goes through package syscall,
// which otherwise would restore the value of before at exec.
func (r rlimits) set() error {
	for _, l := range []struct {
		name     string
		resource int
		to       uint64
	}{
		{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE, r.FileSize},
		{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE, r.Files},
	} {
		if l.to == 0 {
			continue
		}
		var now syscall.Rlimit
		if err := syscall.Getrlimit(l.resource, &now); err != nil {
			return &confineError{l.name, err}
		}
		// A lower one that is in force already cannot be raised, and need not be.
		to := min(l.to, now.Max)
		if err := syscall.Setrlimit(l.resource, &syscall.Rlimit{Cur: to, Max: to}); err != nil {
			return &confineError{l.name + " " + strconv.FormatUint(l.to, 10), err}
		}
	}
	return nil
}
