package spawn

import (
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// link is the supervisor's end of a lane. One process at a time uses it.
type link struct {
	in     *instance
	file   *os.File
	raw    syscall.RawConn
	number uint64 // of the process; written before the process is known to others
	buf    []byte // of receive
}

// newLink makes a lane and hands the other end to the guardian.
func newLink(in *instance) (*link, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer unix.Close(theirs)
	l := &link{in: in, file: os.NewFile(uintptr(ours), "lane"), buf: make([]byte, startedLen+maxDetail+reportLen+4*maxLeaked+maxEnding)}
	if l.raw, err = l.file.SyscallConn(); err == nil {
		var control syscall.RawConn
		if control, err = in.control.SyscallConn(); err == nil {
			err = sendPacket(control, []byte{msgLane}, unix.UnixRights(theirs))
		}
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *link) close() { _ = l.file.Close() }

// sendPacket blocks while the other end is slow to take packets in.
func sendPacket(c syscall.RawConn, b, oob []byte) error {
	var sent error
	err := c.Write(func(fd uintptr) bool {
		sent = rawSend(int(fd), b, oob)
		return sent != unix.EAGAIN
	})
	if err != nil {
		return os.ErrClosed // the only reason for which f is not called
	}
	return sent
}

// receive returns the next packet, which is valid until the next call. It is
// empty when the guardian has closed the lane.
func (l *link) receive() ([]byte, error) {
	var n int
	var got error
	err := l.raw.Read(func(fd uintptr) bool {
		n, got = rawRead(int(fd), l.buf)
		return got != unix.EAGAIN
	})
	if err == nil {
		err = got
	}
	if err != nil {
		return nil, err
	}
	return l.buf[:n], nil
}

// signal implements handle.
func (l *link) signal(sig syscall.Signal, to scope) error {
	err := sendPacket(l.raw, appendSignal(nil, l.number, sig, to), nil)
	if gone(err) {
		return nil // the guardian is dead: the sweep kills the process
	}
	return err
}

// ask implements handle.
func (l *link) ask(mark bool) error {
	kind := byte(msgMeasure)
	if mark {
		kind = msgMark
	}
	err := sendPacket(l.raw, appendAsk(nil, kind, l.number), nil)
	if gone(err) {
		return ErrEnded // the guardian is dead: nobody will answer
	}
	return err
}

// sendStart sends a start request with its descriptors.
func (l *link) sendStart(number uint64, s *Spec, marker string) error {
	slots := make([]byte, len(s.Files))
	fds := make([]int, 0, len(s.Files)+1)
	for i, f := range s.Files {
		if f == nil {
			continue
		}
		fd, err := blocking(f)
		if err != nil {
			return &StartError{Path: s.Path, Op: "pass", Detail: "descriptor " + strconv.Itoa(i), Err: err}
		}
		slots[i] = 1
		fds = append(fds, fd)
	}
	defer runtime.KeepAlive(s)

	var conf []byte
	if s.Limits != nil || s.Level != Plain {
		c := confine{Level: s.Level, Lenient: s.Lenient, Only: l.in.g.opts.only}
		if s.Limits != nil {
			c.Limits = *s.Limits
		}
		var err error
		if conf, err = json.Marshal(c); err != nil {
			return err
		}
	}
	kind := byte(msgStart)
	if s.Brief {
		kind = msgStartBrief
	}
	b := appendStrings(appendStart(make([]byte, 0, 4096), kind, number, conf, slots), s, marker)
	if len(b) <= inlineMax {
		return sendPacket(l.raw, b, rights(fds))
	}
	head := len(appendStart(nil, msgStart, number, conf, slots))
	if len(b) > execMax || len(fds) == maxFiles {
		return &StartError{Path: s.Path, Op: "exec", Detail: s.sizes(), Err: syscall.E2BIG}
	}
	text, err := memfd(b[head:])
	if err != nil {
		return err
	}
	defer unix.Close(text)
	return sendPacket(l.raw, appendStart(nil, msgStartMemfd, number, conf, slots), rights(append(fds, text)))
}

func rights(fds []int) []byte {
	if len(fds) == 0 {
		return nil
	}
	return unix.UnixRights(fds...)
}

// blocking returns f's descriptor, in blocking mode: this runtime's own pipes
// are not, and a program that finds its output so fails with EAGAIN.
func blocking(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	var inner error
	err = raw.Control(func(n uintptr) {
		fd = int(n)
		inner = rawBlock(fd)
	})
	if err != nil {
		return -1, os.ErrClosed
	}
	return fd, inner
}

func memfd(b []byte) (int, error) {
	fd, err := unix.MemfdCreate("start", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err != nil && err != unix.EINTR {
			unix.Close(fd)
			return -1, err
		}
		b = b[max(n, 0):]
	}
	return fd, nil
}
