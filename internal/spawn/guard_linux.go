package spawn

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/cgroup"
)

func init() {
	if boot.Role == boot.Guard {
		// Orphans become children of the main thread; main must run there.
		runtime.LockOSThread()
	}
}

// guard is the state of a guardian's process.
type guard struct {
	pid     int
	session int
	null    int // /dev/null, for children
	orphan  int // the main thread's list of children, -1 if there is no such file
	control int
	parent  int // pidfd of the supervisor

	// gate is held for reading around a fork, and for writing to end all
	// forking.
	gate    sync.RWMutex
	closing bool

	mu    sync.Mutex // also held by whoever reaps orphans
	trees map[int]*tree
	// untold counts trees that have left trees, and whose end is not reported yet.
	untold int
	ended  *sync.Cond // the end of a tree was reported; with mu

	watch    watcher
	grouping sync.Once
	grouped  *cgroup.Tree // nil: not needed yet, or none can be made

	firstID uint32        // of nextID
	ids     atomic.Uint32 // how many were given
	survey  surveyor

	spinning atomic.Int32 // lanes in a raw poll
	asleep   atomic.Bool  // the main thread waits without a timeout
	alarm    int          // eventfd that wakes it
}

// GuardMain is a guardian's main: it serves the supervisor that started this
// process and exits when the supervisor is gone, or closes the Guardian, and
// all its descendants have ended. It never returns. In a process that was not
// started as a guardian it says so and exits with code 2.
//
// It must be called from main's goroutine, before the program starts anything
// of its own.
func GuardMain() {
	if boot.Role != boot.Guard {
		fmt.Fprintln(os.Stderr, "guardian: a supervisor starts this program, it cannot be run by hand")
		os.Exit(2)
	}
	if boot.Err != nil {
		fmt.Fprintln(os.Stderr, "guardian:", boot.Err)
		os.Exit(2)
	}
	g, err := newGuard()
	if err != nil {
		fmt.Fprintln(os.Stderr, "guardian:", err)
		os.Exit(1)
	}
	g.serve()
	g.close()
	if g.grouped != nil {
		if err := g.grouped.Remove(killWait); err != nil {
			fmt.Fprintln(os.Stderr, "guardian:", err)
		}
	}
	if r := heldRecord(boot.Record, boot.Folder); r != nil {
		// What it has just killed may have been supervisors, with guardians of their own.
		r.bury(func(string, ...any) {})
		r.remove()
	}
	os.Exit(0)
}

func newGuard() (*guard, error) {
	runtime.LockOSThread()
	if unix.Gettid() != os.Getpid() {
		return nil, fmt.Errorf("GuardMain must be called from the main goroutine")
	}
	// Set here, not by environment variables: those would reach the children.
	// 8 MiB are allocated between two collections, which with less would be many for
	// commands of many arguments.
	debug.SetGCPercent(200)
	runtime.GOMAXPROCS(guardProcs)
	takeSignals()

	g := &guard{pid: os.Getpid(), control: boot.Control, parent: boot.Parent, trees: make(map[int]*tree), firstID: rand.Uint32()}
	g.ended = sync.NewCond(&g.mu)
	g.watch = watcher{g: g}
	var err error
	if g.session, err = unix.Getsid(0); err != nil {
		return nil, fmt.Errorf("own session: %w", err)
	}
	// No child leaves a core dump: it may hold secrets, and fill a disk.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return nil, fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become a child subreaper: %w", err)
	}
	if err := closeOnExecAll(); err != nil {
		return nil, fmt.Errorf("set close-on-exec: %w", err)
	}
	if g.null, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("open /dev/null: %w", err)
	}
	// The first timer makes the runtime open files, and end the process if it cannot.
	time.AfterFunc(time.Hour, func() {}).Stop()
	if err := keepReserve(); err != nil {
		return nil, fmt.Errorf("keep descriptors in reserve: %w", err)
	}
	if g.alarm, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	if g.watch.alarm, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	if g.watch.loadavg, err = unix.Open("/proc/loadavg", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("open /proc/loadavg: %w", err)
	}
	if g.orphan, err = unix.Open("/proc/thread-self/children", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		g.orphan = -1
	}
	if _, err := unix.Write(g.control, []byte{msgReady, wireVersion}); err != nil {
		return nil, fmt.Errorf("report to the supervisor: %w", err)
	}
	return g, nil
}

// takeSignals keeps signals of the terminal, and strays, from ending or stopping the
// guardian, and makes children start with default dispositions: what has a
// handler is reset on exec, what is ignored is not.
//
// The runtime has handlers for almost all signals from the start, which do nothing at
// those that are not fatal. To be notified of one takes two switches between threads,
// and to be notified of all 60 a third of a guardian's start.
func takeSignals() {
	ignored := make(chan os.Signal, 1) // nobody reads it
	signal.Notify(ignored, fatal[:]...)
	for n := unix.Signal(1); n <= 64; n++ {
		if n != unix.SIGKILL && n != unix.SIGSTOP {
			resetIgnored(n)
		}
	}
	setDisposition(unix.SIGCHLD, sigDfl)
}

// fatal are the signals that end or stop a Go program which is not notified of them.
var fatal = [...]os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE,
	unix.SIGSEGV, unix.SIGPIPE, unix.SIGTERM, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGSYS,
	sigStackFault,
}

// sigStackFault is SIGSTKFLT, where there is such a signal; on mips it is SIGUSR1.
const sigStackFault = unix.Signal(0x10)

// Dispositions, as in the kernel's struct sigaction.
const (
	sigDfl = 0
	sigIgn = 1
)

// kernelSigaction begins like the kernel's structure on every architecture
// and is larger than any.
type kernelSigaction struct {
	handler uintptr
	rest    [7]uintptr
}

func resetIgnored(n unix.Signal) {
	var now kernelSigaction
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(n), 0, uintptr(unsafe.Pointer(&now)), 8, 0, 0)
	if errno == 0 && now.handler == sigIgn {
		setDisposition(n, sigDfl)
	}
}

func setDisposition(n unix.Signal, handler uintptr) {
	act := kernelSigaction{handler: handler}
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
}

// closeOnExecAll covers what the supervisor had inherited: nothing but its
// Spec's files may reach a child.
func closeOnExecAll() error {
	err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	// Linux before 5.11.
	fds, err := readDirNumbers("/proc/self/fd")
	for _, fd := range fds {
		if fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return err
}

// serve starts lanes until the supervisor is gone. The supervisor's pidfd is
// polled besides control, since a copy of the socket's other end may have
// leaked into some process that lives on.
func (g *guard) serve() {
	fds := []unix.PollFd{
		{Fd: int32(g.control), Events: unix.POLLIN},
		{Fd: int32(g.parent), Events: unix.POLLIN},
		{Fd: int32(g.alarm), Events: unix.POLLIN},
	}
	for {
		_, err := unix.Poll(fds, g.pause())
		g.asleep.Store(false)
		if err != nil && err != unix.EINTR {
			return
		}
		if err == nil && fds[1].Revents != 0 {
			return
		}
		if err == nil && fds[2].Revents != 0 {
			var n [8]byte
			unix.Read(g.alarm, n[:])
		}
		if err == nil && fds[0].Revents != 0 && !g.accept() {
			return
		}
		g.mu.Lock()
		if !g.noOrphans() {
			g.orphans()
		}
		g.mu.Unlock()
	}
}

// pause is the time to sleep, in milliseconds. No event tells of the death of
// an orphan, so as long as a process could make some they are looked for once a
// second; otherwise the guardian sleeps until a lane wakes it.
func (g *guard) pause() int {
	g.asleep.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.trees) > 0 {
		g.asleep.Store(false)
		return 1000
	}
	return -1
}

// wake ends the main thread's sleep: there is a tree again.
func (g *guard) wake() {
	if g.asleep.CompareAndSwap(true, false) {
		unix.Write(g.alarm, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// accept takes a lane from control; false means that control has ended.
func (g *guard) accept() bool {
	var b [16]byte
	n, fds, _, err := receive(g.control, b[:], unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return true
	case err != nil || n == 0:
		return false
	}
	if n == 1 && b[0] == msgLane && len(fds) == 1 {
		go newLane(g, fds[0]).serve()
		return true
	}
	// The lane got lost for want of a descriptor, and the supervisor sees it
	// closed. Tell it that this is not the guardian's end.
	closeAll(fds)
	unix.SendmsgN(g.control, []byte{msgRefused}, nil, nil, unix.MSG_NOSIGNAL)
	return true
}

// close kills all descendants and returns when there are none, or when for
// killWait none of them ended. The lanes report what they can.
func (g *guard) close() {
	g.gate.Lock()
	g.closing = true
	g.gate.Unlock()

	giveUp := newPatience(killWait, func() { os.Exit(1) })
	defer giveUp.stop()
	for {
		g.mu.Lock()
		killAll(descend(stats(childrenOf(nil, g.pid))), g.session)
		orphans, sure := g.orphans()
		switch {
		case !sure:
			g.mu.Unlock()
			giveUp.feed() // some were reaped
			continue
		case len(orphans) == 0:
			if len(g.trees) == 0 && g.untold == 0 {
				g.mu.Unlock()
				return
			}
			g.ended.Wait()
			g.mu.Unlock()
			giveUp.feed()
			continue
		}
		next := endsOf(orphans, lookAgain)
		g.mu.Unlock()
		if next.await(time.Now().Add(killWait)) {
			giveUp.feed()
		}
	}
}

// noOrphans is the cheap question that is asked after every exit: one read.
func (g *guard) noOrphans() bool {
	if g.orphan < 0 {
		return false
	}
	var b [1]byte
	n, _, errno := unix.RawSyscall6(unix.SYS_PREAD64, uintptr(g.orphan), uintptr(unsafe.Pointer(&b)), 1, 0, 0, 0)
	return errno == 0 && n == 0
}

// receive reads one packet and the descriptors that came with it. truncated
// says that some descriptors could not be taken in: this process has no free
// ones.
func receive(fd int, b []byte, flags int) (n int, fds []int, truncated bool, err error) {
	var oob [1024]byte // more than CmsgSpace(4*maxFiles+4)
	n, oobn, got, _, err := unix.Recvmsg(fd, b, oob[:], flags|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, nil, false, err
	}
	if oobn > 0 {
		if fds, err = descriptors(oob[:oobn]); err != nil {
			return 0, nil, false, err
		}
	}
	return n, fds, got&unix.MSG_CTRUNC != 0, nil
}

func descriptors(oob []byte) ([]int, error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var fds []int
	for i := range msgs {
		more, err := unix.ParseUnixRights(&msgs[i])
		if err != nil && err != syscall.EINVAL {
			return fds, err
		}
		fds = append(fds, more...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		rawClose(fd)
	}
}
