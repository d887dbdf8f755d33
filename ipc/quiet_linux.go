package ipc

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// quiet is a pipe of which the runtime's poller hears only while its reader blocks.
// What that knows, it knows for as long as the file is open: each write of the peer
// then wakes the thread that waits there, though the reader looks for itself, and
// takes a processor from the two that talk to each other.
//
// So the pipe stands in an epoll of its own, and that in the runtime's. Blocking
// costs two system calls more.
type quiet struct {
	file *os.File // not known to the runtime's poller
	raw  syscall.RawConn
	poll *os.File // the epoll; has the deadlines
	wait syscall.RawConn

	// Of the read that goes on; the functions are bound once.
	p      []byte
	n      int
	err    error
	armed  bool // the poller listens
	step   func(uintptr) bool
	read   func(uintptr) bool
	disarm func(uintptr)

	// Of a call of listen.
	on      int
	event   unix.EpollEvent
	failed  error
	control func(uintptr)
}

// Quiet takes the end of a pipe that is read by one goroutine at a time, mostly
// awake. The file is the source's from then on. Where that cannot be, as when there
// are no more descriptors, it is the source itself.
func Quiet(f *os.File) Source {
	q, err := newQuiet(f)
	if err != nil {
		return f
	}
	f.Close()
	return q
}

func newQuiet(f *os.File) (_ *quiet, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	if cerr := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	q := new(quiet)
	defer func() {
		if err != nil {
			q.Close()
		}
	}()
	// A file that blocks when it is made is none of the poller's.
	if err = unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	q.file = os.NewFile(uintptr(fd), f.Name())
	// Both have one description, so this is for f too, whatever comes.
	if err = unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if q.raw, err = q.file.SyscallConn(); err != nil {
		return nil, err
	}
	efd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	err = unix.SetNonblock(efd, true)
	if err == nil {
		err = unix.EpollCtl(efd, unix.EPOLL_CTL_ADD, fd, new(unix.EpollEvent))
	}
	if err != nil {
		unix.Close(efd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	q.poll = os.NewFile(uintptr(efd), f.Name())
	if q.wait, err = q.poll.SyscallConn(); err != nil {
		return nil, err
	}
	if err = q.poll.SetReadDeadline(time.Time{}); err != nil { // it is not polled
		return nil, err
	}
	q.step = q.try
	q.read = func(fd uintptr) bool {
		q.n, q.err = readFD(fd, q.p)
		return true
	}
	q.control = func(fd uintptr) { q.failed = unix.EpollCtl(q.on, unix.EPOLL_CTL_MOD, int(fd), &q.event) }
	q.disarm = func(poll uintptr) { _ = q.listen(poll, 0) }
	return q, nil
}

// Read implements io.Reader.
func (q *quiet) Read(p []byte) (int, error) {
	q.p, q.n, q.err, q.armed = p, 0, nil, false
	werr := q.wait.Read(q.step)
	q.p = nil
	if q.armed {
		// An error is that of a file that was closed, as the next read says.
		_ = q.wait.Control(q.disarm)
	}
	err := q.err
	switch {
	case werr != nil && errors.Is(werr, os.ErrDeadlineExceeded):
		err = os.ErrDeadlineExceeded
	case werr != nil:
		err = os.ErrClosed
	case err == nil && q.n == 0 && len(p) > 0:
		return 0, io.EOF
	case err == nil:
		return q.n, nil
	}
	return 0, &os.PathError{Op: "read", Path: q.file.Name(), Err: err}
}

// try reads what there is, and reports whether that is the end of the read. When
// there is nothing it makes the poller listen.
func (q *quiet) try(poll uintptr) bool {
	if q.readNow() || q.armed {
		return q.err != syscall.EAGAIN
	}
	if q.err = q.listen(poll, unix.EPOLLIN); q.err != nil {
		return true
	}
	q.armed = true
	return q.readNow() // what has come before is not always told of
}

// readNow reads what there is; false says that it is nothing.
func (q *quiet) readNow() bool {
	if err := q.raw.Read(q.read); err != nil {
		q.err = os.ErrClosed
	}
	return q.err != syscall.EAGAIN
}

// readFD is one read, which is not interrupted.
func readFD(fd uintptr, p []byte) (int, error) {
	for {
		if n, err := syscall.Read(int(fd), p); err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

// listen says of what the epoll is to be told.
func (q *quiet) listen(poll uintptr, events uint32) error {
	q.event.Events = events
	q.on = int(poll)
	if q.raw.Control(q.control) != nil {
		return os.ErrClosed
	}
	return q.failed
}

// SyscallConn implements syscall.Conn. Deadlines are not those of this descriptor.
func (q *quiet) SyscallConn() (syscall.RawConn, error) { return q.raw, nil }

// SetReadDeadline is that of a file.
func (q *quiet) SetReadDeadline(t time.Time) error { return q.poll.SetReadDeadline(t) }

// Close ends a read that blocks.
func (q *quiet) Close() (err error) {
	if q.poll != nil {
		err = q.poll.Close()
	}
	if q.file != nil {
		if cerr := q.file.Close(); err == nil {
			err = cerr
		}
	}
	return err
}
