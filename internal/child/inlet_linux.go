package child

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inlet is the reading end of a pipe. It stands in for an *os.File, whose pipe is
// always watched by the runtime's poller: there every message wakes a thread, also
// one that somebody has been waiting for awake, and that thread then gets in the way
// of both. The pipe of an inlet is watched by an epoll instance of its own, which the
// runtime's poller watches in turn, and only while its reads block.
//
// One goroutine at a time may read. Close and SetReadDeadline may be called from
// anywhere.
type inlet struct {
	bell  *os.File // an epoll instance
	wait  syscall.RawConn
	epoll int // its descriptor

	mu      sync.Mutex // held while the pipe is used
	pipe    int        // −1 once it is closed
	watched bool
	idle    int // reads in a row, since it is watched, that did not block
}

// unwatchAfter reads that do not block end the watch: to end it, and to begin it again,
// costs a system call each.
const unwatchAfter = 4

// inletPipe is os.Pipe with an inlet.
func inletPipe() (r *inlet, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	if r, err = newInlet(fds[0]); err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	return r, os.NewFile(uintptr(fds[1]), "|1"), nil
}

// newInlet takes over the descriptor of a pipe, also when it fails.
func newInlet(pipe int) (*inlet, error) {
	in := &inlet{pipe: pipe, epoll: -1}
	err := os.NewSyscallError("fcntl", unix.SetNonblock(pipe, true))
	if err == nil {
		in.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		err = os.NewSyscallError("epoll_create1", err)
	}
	if err == nil {
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(in.epoll, unix.EPOLL_CTL_ADD, pipe, &unix.EpollEvent{}))
	}
	if err == nil {
		// Only what does not block is watched by the runtime.
		err = os.NewSyscallError("fcntl", unix.SetNonblock(in.epoll, true))
	}
	if err != nil {
		unix.Close(pipe)
		if in.epoll >= 0 {
			unix.Close(in.epoll)
		}
		return nil, err
	}
	in.bell = os.NewFile(uintptr(in.epoll), "link")
	if in.wait, err = in.bell.SyscallConn(); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// watch says whether what comes in wakes who waits; if there is something already, it
// does at once. The caller holds mu.
func (in *inlet) watch(on bool) error {
	var ev unix.EpollEvent
	if on {
		ev.Events = unix.EPOLLIN
	}
	in.watched, in.idle = on, 0
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(in.epoll, unix.EPOLL_CTL_MOD, in.pipe, &ev))
}

// SyscallConn returns what reads the pipe; it does not write.
func (in *inlet) SyscallConn() (syscall.RawConn, error) { return inletConn{in}, nil }

type inletConn struct{ in *inlet }

func (c inletConn) Control(f func(fd uintptr)) error {
	in := c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.pipe < 0 {
		return os.ErrClosed
	}
	f(uintptr(in.pipe))
	return nil
}

func (inletConn) Write(func(fd uintptr) bool) error { return os.ErrInvalid }

// Read calls f until it reports that it is done, and waits for the pipe between.
func (c inletConn) Read(f func(fd uintptr) bool) error {
	in, blocked := c.in, false
	var failed error
	err := in.wait.Read(func(uintptr) bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.pipe < 0 {
			failed = os.ErrClosed
			return true
		}
		if f(uintptr(in.pipe)) {
			if in.watched && !blocked {
				if in.idle++; in.idle == unwatchAfter {
					failed = in.watch(false)
				}
			}
			return true
		}
		blocked = true
		if in.idle = 0; !in.watched {
			failed = in.watch(true)
		}
		return failed != nil
	})
	switch {
	case failed != nil:
		return failed
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrClosed // the runtime's own error for that says so less clearly
	}
	return err
}

func (in *inlet) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	var failed error
	err = inletConn{in}.Read(func(fd uintptr) bool {
		n, failed = ignoringEINTR(func() (int, error) { return syscall.Read(int(fd), p) })
		return !errors.Is(failed, syscall.EAGAIN)
	})
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, os.NewSyscallError("read", failed)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (in *inlet) SetReadDeadline(t time.Time) error { return in.bell.SetReadDeadline(t) }

// Close ends a read that blocks.
func (in *inlet) Close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.pipe < 0 {
		return os.ErrClosed
	}
	err := os.NewSyscallError("close", unix.Close(in.pipe))
	in.pipe = -1
	in.bell.Close()
	return err
}
