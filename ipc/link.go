package ipc

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Link is one end of a pair of pipes that carries messages: PutBatch is the put
// of a queue, GetBatch its get, and Link is a backend of package queue. A
// message is a frame's body.
//
// One goroutine at a time may get, and one may put; the two do not disturb each
// other. Close may be called from anywhere.
type Link struct {
	r     *Reader
	src   io.Reader
	w     io.Writer
	raw   syscall.RawConn // of w, for writes that do not block; nil if w has none
	out   []byte          // frames, or the rest of one, that are not yet written
	werr  error           // sticky
	close sync.Once
	cerr  error
}

// outboxLimit is how many bytes TryPutBatch holds back before it takes no more.
const outboxLimit = 256 << 10

// NewLink makes a link of the pipe that is read and the pipe that is written.
// Descriptors that the runtime can poll (pipes and sockets as *os.File or
// net.Conn) give deadlines and writes that do not block.
func NewLink(r io.Reader, w io.Writer) *Link {
	l := &Link{r: NewReader(r), src: r, w: w}
	if sc, ok := w.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			l.raw = raw
		}
	}
	return l
}

// Reader returns the reading half, for the handshake and for the end of the
// stream.
func (l *Link) Reader() *Reader { return l.r }

// GetBatch waits for a message and stores it in dst, and with it as many more as
// are already in memory, up to len(dst). The messages are parts of the link's
// buffer and valid until the next GetBatch. Errors are those of Reader.Next, or
// the context's; messages that came before an error are returned first.
func (l *Link) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	if ctx.Done() != nil {
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		if d, ok := l.src.(readDeadliner); ok {
			defer interruptible(ctx, d.SetReadDeadline)()
		}
	}
	first, err := l.r.Next()
	if err != nil {
		if ctx.Err() != nil {
			l.r.forgive()
			return 0, context.Cause(ctx)
		}
		return 0, err
	}
	dst[0] = first
	n := 1
	for n < len(dst) && l.r.Ready() {
		b, err := l.r.Next()
		if err != nil {
			break // it is sticky: the next call returns it
		}
		dst[n] = b
		n++
	}
	return n, nil
}

// interruptible makes the end of ctx wake a blocked read or write through its
// deadline. The function that it returns takes the deadline away again.
func interruptible(ctx context.Context, setDeadline func(time.Time) error) func() {
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		setDeadline(time.Unix(1, 0))
		close(woken)
	})
	return func() {
		if !stop() {
			<-woken
			setDeadline(time.Time{})
		}
	}
}

// TryPutBatch takes messages without blocking: it writes what the pipe has room
// for, keeps up to 256 KiB, and returns how many messages it took. What it keeps
// is sent by Flush or a later put; Pending says whether there is any.
func (l *Link) TryPutBatch(msgs [][]byte) (int, error) {
	if l.werr != nil {
		return 0, l.werr
	}
	n := 0
	for ; n < len(msgs) && len(l.out) < outboxLimit; n++ {
		if len(msgs[n]) > MaxFrame || len(msgs[n]) == 0 {
			return n, ErrTooLarge
		}
		l.out = AppendFrame(l.out, msgs[n])
	}
	l.push()
	return n, l.werr
}

// push writes once, without blocking.
func (l *Link) push() {
	if len(l.out) == 0 || l.raw == nil || l.werr != nil {
		return
	}
	wrote := 0
	err := l.raw.Write(func(fd uintptr) bool {
		n, err := writeFD(fd, l.out)
		wrote = max(n, 0)
		if err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
			l.werr = err
		}
		return true
	})
	if err != nil && l.werr == nil {
		l.werr = err
	}
	l.wrote(wrote)
}

func (l *Link) wrote(n int) {
	if n == len(l.out) {
		if cap(l.out) > 2*outboxLimit {
			l.out = nil
		}
		l.out = l.out[:0]
		return
	}
	l.out = append(l.out[:0], l.out[n:]...)
}

// Pending reports whether a put has left something unwritten.
func (l *Link) Pending() bool { return len(l.out) > 0 }

// Flush writes what is pending, and blocks until the pipe has taken it, the
// context ends, or the link fails.
func (l *Link) Flush(ctx context.Context) error {
	if l.werr != nil {
		return l.werr
	}
	if len(l.out) == 0 {
		return nil
	}
	if ctx.Done() != nil {
		if d, ok := l.w.(interface{ SetWriteDeadline(time.Time) error }); ok {
			defer interruptible(ctx, d.SetWriteDeadline)()
		}
	}
	n, err := l.w.Write(l.out)
	l.wrote(n)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx) // the rest stays pending, the stream whole
		}
		l.werr = err
	}
	return err
}

// PutBatch writes messages, as few system calls as they fit in, and blocks until
// the pipe has taken them all. It returns how many were taken; when the context
// ends in the middle of one, that counts as taken and its rest is sent by the
// next put. A message over MaxFrame is ErrTooLarge, and nothing of it was sent.
func (l *Link) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	n := 0
	for n < len(msgs) {
		took, err := l.TryPutBatch(msgs[n:])
		n += took
		if err != nil {
			return n, err
		}
		if err := l.Flush(ctx); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close closes both pipes. A get or put that is blocked returns.
func (l *Link) Close() error {
	l.close.Do(func() {
		if c, ok := l.w.(io.Closer); ok {
			l.cerr = c.Close()
		}
		if c, ok := l.src.(io.Closer); ok {
			if err := c.Close(); l.cerr == nil {
				l.cerr = err
			}
		}
		if errors.Is(l.cerr, net.ErrClosed) {
			l.cerr = nil
		}
	})
	return l.cerr
}
