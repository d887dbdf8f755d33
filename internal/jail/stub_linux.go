package jail

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
)

// A stub needs nothing of the program that it is part of, and is started for every
// process: it does not wait until all of that is initialised.
func init() {
	if boot.Role != boot.Jail {
		return
	}
	if boot.Err != nil {
		fmt.Fprintln(os.Stderr, "jail:", boot.Err)
		os.Exit(2)
	}
	serve(boot.Control)
}

// stub is the state of a stub.
type stub struct {
	socket int
	order  Order
	argv   []string
	envv   []string
	exe    int // -1 = none, as for those below
	dir    int
	prog   int
	joins  []int

	answer Answer
}

// failure ends a start.
type failure struct {
	step   string
	errno  syscall.Errno
	detail string
}

func failed(step, detail string, err error) *failure {
	f := &failure{step: step, errno: syscall.EINVAL, detail: detail}
	errors.As(err, &f.errno)
	return f
}

// serve is the stub's life. It never returns.
func serve(socket int) {
	s := &stub{socket: socket, exe: -1, dir: -1, prog: -1}
	// The runtime has raised the limit of descriptors for itself, and takes that back
	// before it executes a program. It does so even when that fails, as here.
	_ = syscall.Exec("", nil, nil)

	if err := s.receive(); err != nil {
		s.fail(failed(StepConfine, "the order of the guardian cannot be read", err))
	}
	p := &program{ruleset: -1, joins: s.joins, rlimits: s.order.Rlimits}
	if f := s.prepare(p); f != nil {
		s.fail(f)
	}
	if s.order.Parts&Pid == 0 && p.path != nil {
		s.fail(s.become(p))
	}
	defaultSignals()
	pid, step, err := launch(p)
	if err != nil {
		s.fail(childFailure(step, err))
	}
	s.send(s.answer)
	if pid == 0 {
		os.Exit(0) // it was only to try
	}
	s.closeFiles()
	s.follow(pid)
}

func (s *stub) receive() error {
	fds, ok, err := receive(s.socket, &s.order)
	if err != nil {
		return err
	}
	if !ok {
		os.Exit(1) // the guardian is gone
	}
	next := func(there bool) int {
		if !there || len(fds) == 0 {
			return -1
		}
		fd := fds[0]
		fds = fds[1:]
		return fd
	}
	text := next(true)
	s.exe, s.dir, s.prog = next(s.order.Exe), next(s.order.DirFD), next(s.order.ProgFD)
	if len(fds) != s.order.Joins {
		return errWire
	}
	s.joins = fds
	if s.order.Path == "" {
		return nil
	}
	b, err := readAll(text)
	if err != nil {
		return err
	}
	unix.Close(text)
	s.argv, s.envv, err = splitStrings(b, s.order.Argc)
	return err
}

func readAll(fd int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	b := make([]byte, st.Size)
	for done := 0; done < len(b); {
		n, err := unix.Pread(fd, b[done:], int64(done))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return nil, errWire
		}
		done += n
	}
	return b, nil
}

func (s *stub) send(v any) { _ = Send(s.socket, v) }

func (s *stub) fail(f *failure) {
	s.send(Answer{Step: f.step, Errno: f.errno, Detail: f.detail})
	os.Exit(1)
}

// part does one part of the isolation. Leniently, what fails is left out.
func (s *stub) part(p Part, do func() error) *failure {
	if s.order.Parts&p == 0 {
		return nil
	}
	err := do()
	if err == nil {
		s.answer.Parts |= p
		return nil
	}
	name := p.Names()[0]
	if !s.order.Lenient {
		return failed(StepConfine, name+": "+err.Error(), err)
	}
	f := failed("", "", err)
	s.answer.Lost = append(s.answer.Lost, Loss{Part: p, Why: err.Error(), Errno: f.errno})
	return nil
}

// prepare does what is done to the namespaces, and gets ready what the program is to
// do to itself.
func (s *stub) prepare(p *program) *failure {
	// Those that clone has made.
	s.answer.Parts = s.order.Parts & (User | Pid | Ipc | Uts | UID)
	if s.order.Parts != 0 {
		if f := s.confine(p); f != nil {
			return f
		}
	}
	if s.order.Path == "" {
		return nil
	}
	if err := p.name(s.order.Path, s.argv, s.envv); err != nil {
		return failed(StepExec, "", err)
	}
	return nil
}

func (s *stub) confine(p *program) *failure {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return failed(StepConfine, "make the stub unreadable", err)
	}
	if s.order.Parts&User != 0 {
		forbidUsers()
	}
	if f := s.part(Net, loopback); f != nil {
		return f
	}
	if f := s.part(Mount, s.mounts); f != nil {
		return f
	}
	if s.order.Dir != "" {
		if err := unix.Chdir(s.order.Dir); err != nil {
			return failed(StepChdir, "", err)
		}
	}
	exe := s.locate()
	p.noCaps = true
	if f := s.part(NoNewPrivs, func() error {
		p.noNewPrivs = true
		return nil
	}); f != nil {
		return f
	}
	if f := s.part(Landlock, func() (err error) {
		p.ruleset, err = newRuleset(s.answer.Parts, Writable(s.order.Dir), exe)
		return err
	}); f != nil {
		return f
	}
	return s.part(Seccomp, func() (err error) {
		p.filter, err = newFilter()
		return err
	})
}

// locate sets the path by which the program is executed. It is the order's, if that
// leads to the same file inside; else it is the open file itself, which is returned.
func (s *stub) locate() (exe int) {
	if s.exe < 0 {
		return -1
	}
	var want, got unix.Stat_t
	if unix.Fstat(s.exe, &want) != nil {
		return -1
	}
	for _, path := range []string{s.order.Path, s.order.ExePath} {
		if unix.Stat(path, &got) == nil && got.Dev == want.Dev && got.Ino == want.Ino {
			s.order.Path = path
			return -1
		}
	}
	if s.prog >= 0 { // the same file, with a mount that knows its owner
		s.exe = s.prog
	}
	s.order.Path = "/proc/self/fd/" + strconv.Itoa(s.exe)
	return s.exe
}

func childFailure(step int, err error) *failure {
	if step == childExec {
		return failed(StepExec, "", err)
	}
	return failed(StepConfine, childStep[step]+": "+err.Error(), err)
}

// become makes this process the program. It returns why it could not.
func (s *stub) become(p *program) *failure {
	runtime.LockOSThread()
	if s.order.Parts != 0 {
		// What was left out. The end of the socket, after it, says that exec has
		// succeeded.
		s.send(s.answer)
	}
	step, errno := execute(p)
	runtime.KeepAlive(p)
	return childFailure(int(step), errno)
}

// loopback brings the one interface of a new network namespace up.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bring the loopback interface up: %w", err)
	}
	return nil
}
