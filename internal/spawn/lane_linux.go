package spawn

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lane is a thread of the guardian that runs one process at a time: receive,
// fork and exec, wait, report. So there are no ids to match, and nobody else
// reaps its process. The thread is the process's parent and lives as long as
// the process: parent-death signals are bound to it.
type lane struct {
	g    *guard
	sock int
	tid  int
	poll *waiter
	in   inbox
	out  []byte
	held []byte // msgStarted of a brief process, not yet sent; it may be followed by msgEnded
	sys  syscall.SysProcAttr
	pidf int
}

func newLane(g *guard, sock int) *lane {
	return &lane{g: g, sock: sock, poll: newWaiter(), in: inbox{data: make([]byte, inlineMax)}}
}

// Entries of a lane's poll set.
const (
	pollSock = iota
	pollChild
)

func (l *lane) serve() {
	runtime.LockOSThread() // never undone: the thread ends with the lane
	l.tid = unix.Gettid()
	// Children inherit the mask of the thread that forks.
	var none unix.Sigset_t
	unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil)
	l.sys = syscall.SysProcAttr{
		Setsid: true,
		// The guardian's sweep is what can be relied on. This is for the case
		// that guardian and supervisor are killed at the same moment.
		Pdeathsig: syscall.SIGKILL,
		PidFD:     &l.pidf,
	}
	for l.sock >= 0 {
		l.poll.fds[pollSock].Fd = int32(l.sock)
		l.poll.wait(&l.g.spinning)
		b, fds, truncated, ok := l.receive()
		if !ok {
			continue
		}
		if len(b) > 0 && (b[0] == msgStart || b[0] == msgStartBrief || b[0] == msgStartMemfd) {
			l.run(b, fds, truncated)
			continue
		}
		if len(b) > 0 && b[0] == msgSurvey {
			l.sendSurvey()
		}
		// A signal that arrives here was for a process that has ended.
		closeAll(fds)
	}
}

// receive takes in a packet; when the supervisor has closed the lane, l.sock
// becomes -1.
func (l *lane) receive() (b []byte, fds []int, truncated, ok bool) {
	n, fds, truncated, err := l.in.receive(l.sock)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil, nil, false, false
	case err != nil || n == 0:
		closeAll(fds)
		unix.Close(l.sock)
		l.sock = -1
		l.poll.fds[pollSock].Fd = -1
		return nil, nil, false, false
	}
	return l.in.data[:n], fds, truncated, true
}

// send is best effort: when the supervisor is gone, nobody listens.
func (l *lane) send(b []byte) {
	if l.sock < 0 {
		return
	}
	for {
		if err := rawSend(l.sock, b, nil); err != unix.EAGAIN {
			return
		}
		unix.Poll([]unix.PollFd{{Fd: int32(l.sock), Events: unix.POLLOUT}}, -1)
	}
}

// run serves one start request to its end.
func (l *lane) run(b []byte, fds []int, truncated bool) {
	req, rest, err := decodeHead(b)
	if err != nil {
		closeAll(fds)
		return
	}
	kind := b[0]
	req.brief = kind == msgStartBrief
	t, begun := l.start(&req, rest, kind == msgStartMemfd, fds, truncated)
	// The process has its own by now; while these are open, nobody sees the
	// end of a pipe.
	closeAll(fds)
	l.held = begun.append(l.held[:0])
	if t == nil || kind != msgStartBrief {
		l.release()
	}
	if t != nil {
		l.follow(t, req.number)
	}
}

// release sends what was held back.
func (l *lane) release() {
	if len(l.held) > 0 {
		l.send(l.held)
		l.held = l.held[:0]
	}
}

// start executes the request. It returns a tree, or what went wrong.
func (l *lane) start(req *request, rest []byte, memfd bool, fds []int, truncated bool) (*tree, started) {
	fail := func(op byte, err error) (*tree, started) {
		s := started{number: req.number, errno: syscall.EINVAL, op: op}
		var errno syscall.Errno
		if errors.As(err, &errno) && errno != 0 {
			s.errno = errno
		}
		if op == opConfine {
			s.detail = err.Error()
		}
		return nil, s
	}
	if truncated {
		return fail(opPass, syscall.EMFILE)
	}
	if memfd {
		if len(fds) == 0 {
			return fail(opPass, syscall.EBADF)
		}
		text, err := readMemfd(fds[len(fds)-1])
		if err != nil {
			return fail(opPass, err)
		}
		rest, fds = text, fds[:len(fds)-1]
	}
	if err := req.decodeStrings(rest); err != nil {
		return fail(opPass, syscall.EBADMSG)
	}
	files := make([]uintptr, max(len(req.slots), 3))
	for i := range files {
		files[i] = uintptr(l.g.null)
		if i < len(req.slots) && req.slots[i] == 1 {
			if len(fds) == 0 {
				return fail(opPass, syscall.EBADF)
			}
			files[i], fds = uintptr(fds[0]), fds[1:]
		}
	}
	t := &tree{tid: l.tid, since: clock(unix.CLOCK_BOOTTIME)}
	if n := len(req.envv); n > 0 && isMarker(req.envv[n-1]) {
		_, value, _ := strings.Cut(req.envv[n-1], "=")
		t.marker = value[strings.LastIndexByte(value, '/')+1:]
	}

	var err error
	if t.cell, err = l.g.newCell(req.confine, t.marker, req.brief); err != nil {
		return fail(opConfine, err)
	}
	l.g.gate.RLock()
	defer l.g.gate.RUnlock()
	if l.g.closing {
		if t.cell != nil {
			t.cell.close(nil)
		}
		return fail(opClosed, syscall.ESHUTDOWN)
	}
	attr := &syscall.ProcAttr{Dir: req.dir, Env: req.envv, Files: files, Sys: &l.sys}
	var pid int
	if t.cell == nil {
		pid, err = syscall.ForkExec(req.path, req.argv, attr)
	} else if pid, err = t.cell.start(l, req, attr); err != nil {
		t.cell.close(nil)
	}
	if err != nil {
		if se := (*stubError)(nil); errors.As(err, &se) {
			return fail(se.op, se)
		}
		if req.dir != "" && unix.Access(req.dir, unix.X_OK) != nil || notDirectory(req.dir) {
			return fail(opChdir, err)
		}
		return fail(opExec, err)
	}
	t.pid = pid
	l.g.mu.Lock()
	l.g.trees[pid] = t
	l.g.mu.Unlock()
	if t.cell != nil {
		l.g.watch.watch(t)
	}
	l.g.wake()
	return t, started{number: req.number, pid: pid}
}

func notDirectory(dir string) bool {
	if dir == "" {
		return false
	}
	fi, err := os.Stat(dir)
	return err == nil && !fi.IsDir()
}

// follow waits for the end of t, delivering signals meanwhile, and reports it.
func (l *lane) follow(t *tree, number uint64) {
	l.poll.fds[pollChild].Fd = int32(l.pidf)
	l.poll.limit = time.Time{}
	for {
		if len(l.held) > 0 && !l.poll.briefly(&l.g.spinning) {
			l.release()
		}
		l.poll.wait(&l.g.spinning)
		if l.poll.ready(pollChild) {
			break
		}
		if limit := l.poll.limit; !limit.IsZero() && time.Now().After(limit) {
			l.abandon(t, number)
			return
		}
		b, fds, _, ok := l.receive()
		closeAll(fds)
		if l.sock < 0 {
			// Nobody is interested any more, or the supervisor is dead.
			l.poll.limit = time.Time{}
			l.g.signal(t, syscall.SIGKILL, wholeTree)
		}
		if !ok {
			continue
		}
		if n, sig, to, err := decodeSignal(b); err == nil && n == number {
			l.g.signal(t, sig, to)
			if sig == syscall.SIGKILL && to == wholeTree && l.poll.limit.IsZero() {
				l.poll.limit = time.Now().Add(killWait)
			}
		}
		if kind, n, err := decodeAsk(b); err == nil && n == number {
			l.answer(t, kind, number)
		}
	}
	rawClose(l.pidf)
	l.poll.fds[pollChild].Fd = -1
	l.reap(t, number)
}

// answer serves msgMark and msgMeasure.
func (l *lane) answer(t *tree, kind byte, number uint64) {
	var e *ending
	if t.cell != nil {
		if kind == msgMark {
			l.g.watch.mark(t.cell)
		}
		now := l.g.watch.measure(t.cell)
		e = &now
	}
	l.release()
	l.out = appendUsage(l.out[:0], number, e)
	l.send(l.out)
}

// reap reports the end of t. While its process is not reaped its id, and that
// of its session, cannot be given to another.
func (l *lane) reap(t *tree, number uint64) {
	r := report{at: clockNow(), empty: true}
	l.g.watch.forget(t)
	t.over.Store(true) // before it is asked for orphans
	var left, unclear []int
	if !l.g.noOrphans() || len(t.cell.left(t.pid)) > 0 {
		l.release()
		l.out = binary.LittleEndian.AppendUint64(append(l.out[:0], msgExited), number)
		l.send(l.out)
		left, unclear = l.g.empty(t)
	}
	var usage syscall.Rusage
	// It has ended: this does not wait, unless a thread of it is still on its way out.
	if pid := rawWait(t.pid, &r.wait, &usage); pid == 0 {
		for {
			if _, err := syscall.Wait4(t.pid, &r.wait, 0, &usage); err != syscall.EINTR {
				break
			}
		}
	}
	if t.cell != nil {
		t.cell.ended(&r.wait, &usage)
	}
	if l.hasChildren() {
		more, _ := l.g.empty(t)
		left = append(left, more...)
	}
	r.user, r.sys = time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())
	r.maxRSS = usage.Maxrss << 10
	if t.cell != nil {
		r.ending = t.cell.close(&r)
	}
	r.empty, r.leaked = len(left) == 0, append(left, unclear...)
	// Before its end is known: from then on no orphan may be taken for its own. The
	// guardian may exit only once it is told.
	l.g.mu.Lock()
	delete(l.g.trees, t.pid)
	l.g.untold++
	l.g.mu.Unlock()
	l.held = r.append(l.held, number) // behind msgStarted, if that is still there
	l.release()
	l.g.mu.Lock()
	l.g.untold--
	l.g.ended.Broadcast()
	l.g.mu.Unlock()
}

// unfinished is a wait status of which a program makes neither an exit code nor a
// signal that has ended anything: that of a stopped process.
const unfinished = syscall.WaitStatus(0x7f | int(unix.SIGSTOP)<<8)

// abandon reports that t's process has not ended for killWait after it was killed: it is
// stuck in the kernel, or frozen. The lane is for others again; the process is reaped
// whenever it ends.
func (l *lane) abandon(t *tree, number uint64) {
	r := report{wait: unfinished, at: clockNow()}
	l.g.mu.Lock()
	r.leaked = pidsOf(l.g.members(t))
	l.g.mu.Unlock()
	pidfd := l.pidf
	l.poll.fds[pollChild].Fd, l.poll.limit = -1, time.Time{}
	go l.g.outlast(t, pidfd)
	l.held = r.append(l.held, number)
	l.release()
}

// outlast waits for the end of a tree that a lane has abandoned.
func (g *guard) outlast(t *tree, pidfd int) {
	for {
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1); n > 0 || err != nil && err != unix.EINTR {
			break
		}
	}
	unix.Close(pidfd)
	g.watch.forget(t)
	t.over.Store(true)
	g.empty(t)
	var ws syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(t.pid, &ws, 0, nil); err != syscall.EINTR {
			break
		}
	}
	if t.cell != nil {
		t.cell.close(nil)
	}
	g.mu.Lock()
	delete(g.trees, t.pid)
	g.ended.Broadcast()
	g.mu.Unlock()
}

// hasChildren reports whether this thread is the parent of any process. It asks
// without reaping one.
func (l *lane) hasChildren() bool {
	_, _, errno := unix.RawSyscall6(unix.SYS_WAITID, unix.P_ALL, 0, 0,
		unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WNOTHREAD|unix.WALL, 0, 0)
	return errno != unix.ECHILD
}

// readMemfd reads all of a memfd that the supervisor wrote.
func readMemfd(fd int) ([]byte, error) {
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return nil, err
	}
	return readAll(fd)
}
