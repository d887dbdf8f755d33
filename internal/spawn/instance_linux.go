package spawn

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
)

const (
	// readyWait is how long a guardian may take to get ready. It needs
	// milliseconds; a machine that swaps may need seconds.
	readyWait = 10 * time.Second

	// maxFree is how many lanes are kept for later. Each is a thread of the
	// guardian.
	maxFree = 64
)

// instance is one guardian process, seen from the supervisor.
type instance struct {
	g       *Guardian
	pid     int
	pidfd   int
	control *os.File
	refused chan struct{} // one token for each lane that the guardian could not take
	dying   chan struct{} // closed when the guardian's end was seen
	dead    chan struct{} // closed when nothing of it is left; then left is valid
	left    []int

	mu      sync.Mutex
	free    []*link
	running map[int]bool // sessions of the processes that have not ended
	over    bool         // links are no longer kept
}

// guardians are the living guardian processes of this one: no sweep may kill
// them.
var guardians struct {
	sync.Mutex
	pids map[int]bool
}

func startInstance(g *Guardian) (*instance, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	control := os.NewFile(uintptr(ours), "guardian")
	// The guardian's copy must be the only one, or its end is not seen here.
	closeTheirs := sync.OnceFunc(func() { unix.Close(theirs) })
	defer closeTheirs()
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		control.Close()
		return nil, fmt.Errorf("pidfd of this process (Linux 5.4 or newer is needed): %w", err)
	}
	defer unix.Close(self)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		control.Close()
		return nil, fmt.Errorf("open /dev/null: %w", err)
	}
	defer unix.Close(null)

	in := &instance{
		g: g, pidfd: -1, control: control,
		refused: make(chan struct{}, 1024), dying: make(chan struct{}), dead: make(chan struct{}),
		running: make(map[int]bool),
	}
	files := []uintptr{uintptr(null), uintptr(null), 2, uintptr(theirs), uintptr(self)}
	if r := g.record; r != nil {
		files = append(files, uintptr(r.lock), uintptr(r.folder))
	}
	for _, f := range g.opts.Hold {
		files = append(files, f.Fd())
	}
	guardians.Lock()
	in.pid, err = syscall.ForkExec(g.opts.Path, g.opts.Args, &syscall.ProcAttr{
		Env:   guardEnv(g.record != nil),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &in.pidfd},
	})
	if err == nil {
		if guardians.pids == nil {
			guardians.pids = make(map[int]bool)
		}
		guardians.pids[in.pid] = true
	}
	guardians.Unlock()
	if err != nil {
		control.Close()
		return nil, fmt.Errorf("execute %s: %w", g.opts.Path, err)
	}
	closeTheirs()
	if err := in.handshake(); err != nil {
		in.kill()
		in.reap()
		control.Close()
		return nil, err
	}
	go in.watch()
	return in, nil
}

func socketpair() (ours, theirs int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		closeAll(fds[:])
		return -1, -1, err
	}
	return fds[0], fds[1], nil
}

func guardEnv(record bool) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name != boot.GuardMarker && name != boot.WorkerMarker && name != boot.JailMarker {
			env = append(env, kv)
		}
	}
	marker := boot.GuardMarker + "=ctl=3 parent=4"
	if record {
		marker += " record=5 folder=6"
	}
	return append(env, marker)
}

func (in *instance) handshake() error {
	if err := in.control.SetReadDeadline(time.Now().Add(readyWait)); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	var b [16]byte
	n, err := in.control.Read(b[:])
	if err != nil || n != 2 || b[0] != msgReady {
		return fmt.Errorf("%w: %s", ErrNoGuardMain, in.g.opts.Path)
	}
	if b[1] != wireVersion {
		return fmt.Errorf("%s is a guardian of version %d, not %d", in.g.opts.Path, b[1], wireVersion)
	}
	return in.control.SetReadDeadline(time.Time{})
}

// kill ends the guardian process, which is not reaped before watch is over.
func (in *instance) kill() {
	_ = unix.PidfdSendSignal(in.pidfd, unix.SIGKILL, nil, 0)
}

// shut asks the guardian to kill everything and to exit.
func (in *instance) shut() {
	if raw, err := in.control.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
	}
}

// reap returns the guardian's exit code, -1 if it is not known.
func (in *instance) reap() int {
	code := -1
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(in.pid, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err == nil {
			code = ws.ExitStatus()
		}
		break
	}
	unix.Close(in.pidfd)
	guardians.Lock()
	delete(guardians.pids, in.pid)
	guardians.Unlock()
	return code
}

// watch follows the guardian until its end, and clears up after it.
func (in *instance) watch() {
	var b [16]byte
	for {
		n, err := in.control.Read(b[:])
		if err != nil || n == 0 {
			break
		}
		if b[0] == msgRefused {
			in.refused <- struct{}{}
		}
	}
	close(in.dying)
	// Mostly it is dead by now. If it only closed its socket, it is of no use.
	in.awaitDeath()
	code := in.reap()
	in.control.Close()

	in.mu.Lock()
	in.over = true
	free := in.free
	in.free = nil
	sessions := in.running
	in.running = nil
	in.mu.Unlock()
	for _, l := range free {
		l.close()
	}
	if code != 0 {
		// Exit code 0 is the guardian's word that no descendant is left.
		in.g.opts.log("guardian was lost, its processes are killed", "pid", in.pid, "exit_code", code)
		in.left = sweep(in.g, sessions)
		if in.g.record != nil {
			in.g.record.bury(in.g.opts.log)
		}
	}
	close(in.dead)
}

func (in *instance) awaitDeath() {
	fds := []unix.PollFd{{Fd: int32(in.pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(killWait.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if n == 0 {
			in.kill()
		}
		return
	}
}

// takeLink returns a free link or makes one.
func (in *instance) takeLink() (*link, error) {
	in.mu.Lock()
	if n := len(in.free); n > 0 {
		l := in.free[n-1]
		in.free = in.free[:n-1]
		in.mu.Unlock()
		return l, nil
	}
	in.mu.Unlock()
	return newLink(in)
}

// giveLink takes back a link whose process has ended.
func (in *instance) giveLink(l *link) {
	in.mu.Lock()
	keep := !in.over && len(in.free) < maxFree
	if keep {
		in.free = append(in.free, l)
	}
	in.mu.Unlock()
	if !keep {
		l.close()
	}
}

// follow ends p when its link says so.
func (in *instance) follow(p *Process, l *link) {
	in.mu.Lock()
	if !in.over {
		in.running[p.pid] = true
	}
	in.mu.Unlock()
	in.g.following.Go(func() {
		for {
			b, err := l.receive()
			if err != nil || len(b) == 0 {
				p.detach()
				l.close()
				<-in.dead
				p.end(Status{Code: -1, Lost: true, End: time.Now(), TreeEmpty: len(in.left) == 0, Leaked: in.left})
				return
			}
			if b[0] == msgExited {
				p.markExited()
				continue
			}
			if number, e, err := decodeUsage(b); err == nil {
				if number == l.number {
					select {
					case p.answer <- e:
					default: // nobody has asked
					}
				}
				continue
			}
			number, r, err := decodeReport(b)
			if err != nil || number != l.number {
				continue
			}
			s := r.status(time.Now(), clockNow())
			in.mu.Lock()
			delete(in.running, p.pid)
			in.mu.Unlock()
			p.detach()
			in.giveLink(l)
			p.end(s)
			return
		}
	})
}
