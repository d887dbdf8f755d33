package queue

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// errWouldBlock is the answer of an end that was asked not to wait.
var errWouldBlock = errors.New("would block")

// end is one end of a pipe. A read or write that waits returns when interrupt is
// called, with an error that is an os.ErrDeadlineExceeded.
type end struct {
	r io.Reader // nil for the end that is written
	w io.Writer // nil for the end that is read

	// raw gives reads and writes that do not wait, and waiting writes that
	// return as soon as some bytes went; nil where that is not to be had.
	raw syscall.RawConn
	io  rawCall

	setDeadline func(time.Time) error // nil: waiting cannot be interrupted
	closers     []io.Closer
	once        sync.Once
	err         error
}

func newReadEnd(r io.Reader) *end {
	e := &end{closers: closersOf(r)}
	if f, ok := r.(*os.File); ok {
		if dup := pollable(f); dup != nil {
			r = dup
			e.closers = append(e.closers, dup)
		}
	}
	d, ok := r.(interface{ SetReadDeadline(time.Time) error })
	if !ok || d.SetReadDeadline(time.Time{}) != nil {
		b := newBridge(r)
		e.closers = append(e.closers, b)
		e.r, e.setDeadline = b, b.SetReadDeadline
		return e
	}
	e.r, e.setDeadline = r, d.SetReadDeadline
	e.poll(r, readFD)
	return e
}

func newWriteEnd(w io.Writer) *end {
	e := &end{closers: closersOf(w)}
	if f, ok := w.(*os.File); ok {
		if dup := pollable(f); dup != nil {
			w = dup
			e.closers = append(e.closers, dup)
		}
	}
	e.w = w
	if d, ok := w.(interface{ SetWriteDeadline(time.Time) error }); ok && d.SetWriteDeadline(time.Time{}) == nil {
		e.setDeadline = d.SetWriteDeadline
		e.poll(w, writeFD)
	}
	return e
}

// halves returns what closes each direction of a connection that is read and
// written; ok is false if v is none.
func halves(v any) (read, write io.Closer, ok bool) {
	c, ok := v.(interface {
		CloseRead() error
		CloseWrite() error
	})
	if !ok {
		return nil, nil, false
	}
	return closer(c.CloseRead), closer(c.CloseWrite), true
}

type closer func() error

func (c closer) Close() error {
	// A peer that has gone has closed both directions.
	if err := c(); err != nil && !errors.Is(err, syscall.ENOTCONN) {
		return err
	}
	return nil
}

func closersOf(v any) []io.Closer {
	if c, ok := v.(io.Closer); ok {
		return []io.Closer{c}
	}
	return nil
}

// poll makes the end raw if it can be. That is only asked of types whose Read and
// Write are known to be those of the descriptor: what wraps one may do more.
func (e *end) poll(v any, op func(uintptr, []byte) (int, error)) {
	switch v.(type) {
	case *os.File, *net.UnixConn, *net.TCPConn:
	default:
		return
	}
	if !rawIO {
		return
	}
	raw, err := v.(syscall.Conn).SyscallConn()
	if err != nil {
		return
	}
	e.raw = raw
	e.io.op = op
	e.io.step = e.io.try
}

// read reads once. Without wait it does not block: errWouldBlock.
func (e *end) read(p []byte, wait bool) (int, error) {
	if e.raw == nil {
		if !wait {
			return 0, errWouldBlock
		}
		return e.r.Read(p)
	}
	n, err := e.io.run(e.raw.Read, p, wait)
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	return n, err
}

// write writes what there is room for. Without wait it does not block:
// errWouldBlock if there is none. With it, it returns as soon as some bytes went,
// where the end is raw, and else when all did.
func (e *end) write(p []byte, wait bool) (int, error) {
	if e.raw == nil {
		if !wait {
			return 0, errWouldBlock
		}
		return e.w.Write(p)
	}
	return e.io.run(e.raw.Write, p, wait)
}

// rawCall is a read or write of a descriptor. An end makes one at a time, and
// uses the same again, so that a call allocates nothing.
type rawCall struct {
	op   func(fd uintptr, p []byte) (int, error)
	step func(fd uintptr) bool // try, bound once
	p    []byte
	wait bool
	n    int
	err  error
}

func (c *rawCall) try(fd uintptr) bool {
	c.n, c.err = c.op(fd, c.p)
	return !c.wait || c.err != syscall.EAGAIN
}

func (c *rawCall) run(do func(func(uintptr) bool) error, p []byte, wait bool) (int, error) {
	c.p, c.wait, c.n, c.err = p, wait, 0, nil
	err := do(c.step)
	c.p = nil
	switch {
	case err != nil:
		return c.n, err
	case c.err == syscall.EAGAIN:
		return 0, errWouldBlock
	}
	return c.n, c.err
}

// interrupt makes what waits, and what will, return until resume is called.
func (e *end) interrupt() {
	if e.setDeadline != nil {
		e.setDeadline(time.Unix(1, 0))
	}
}

func (e *end) resume() {
	if e.setDeadline != nil {
		e.setDeadline(time.Time{})
	}
}

// close closes the end; what waits on it returns.
func (e *end) close() error {
	e.once.Do(func() {
		for _, c := range e.closers {
			if err := c.Close(); e.err == nil && !errors.Is(err, os.ErrClosed) && !errors.Is(err, net.ErrClosed) {
				e.err = err
			}
		}
	})
	return e.err
}

// bridge gives deadlines to a reader that has none: a goroutine reads ahead, by
// at most one buffer. It ends at the end of the source, or with the first bytes
// that it gets after Close.
type bridge struct {
	net.Conn
	ended chan struct{}
	err   error // of the source, once ended
}

func newBridge(src io.Reader) *bridge {
	near, far := net.Pipe()
	b := &bridge{Conn: near, ended: make(chan struct{})}
	go func() {
		_, b.err = io.Copy(far, src)
		close(b.ended)
		far.Close()
	}()
	return b
}

func (b *bridge) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if err == io.EOF {
		<-b.ended
		if b.err != nil {
			err = b.err
		}
	}
	return n, err
}
