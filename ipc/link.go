package ipc

import (
	"context"
	"errors"
	"io"
	"os"
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
	r      *Reader
	src    io.Reader
	w      io.Writer
	raw    syscall.RawConn // of w, for writes that do not block; nil if w has none
	alarm  *alarm          // of writes; nil if w has no deadlines
	out    []byte          // frames, or the rest of one
	chunks Chunks
	sent   int   // out[:sent] is written
	werr   error // sticky
	close  sync.Once
	cerr   error
}

// outboxLimit is how many unwritten bytes there may be for TryPutBatch to take
// another message.
const outboxLimit = 256 << 10

// NewLink makes a link of the pipe that is read and the pipe that is written.
// Descriptors that the runtime polls (pipes and sockets in non-blocking mode, as
// *os.File or net.Conn) give deadlines, calls that end with their context, and
// writes that do not block. On others a call blocks until the peer acts.
func NewLink(r io.Reader, w io.Writer) *Link {
	l := &Link{r: NewReader(r), src: r, w: w}
	if d, ok := w.(interface{ SetWriteDeadline(time.Time) error }); ok {
		l.alarm = &alarm{set: d.SetWriteDeadline}
	}
	if sc, ok := w.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil && nonblocking(raw) {
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
// the context's cause, after which the link goes on; messages that came before
// an error are returned first. A context that can end costs about a microsecond.
func (l *Link) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	if ctx.Done() != nil {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if a := l.r.alarm; a != nil && !l.r.Ready() {
			stop := a.during(ctx)
			defer func() {
				if stop() {
					l.r.armed = false
				}
			}()
		}
	}
	first, err := l.r.Next()
	if err != nil {
		if errors.Is(err, errInterrupted) {
			err = context.Cause(ctx)
		}
		return 0, err
	}
	dst[0] = first
	n := 1
	for n < len(dst) && l.r.Ready() {
		b, err := l.r.Next()
		if err != nil {
			break // it is kept: the next call returns it
		}
		dst[n] = b
		n++
	}
	return n, nil
}

// TryPutBatch takes messages without blocking, and writes what the pipe has room
// for. It takes messages while less than 256 KiB are unwritten, and returns how
// many it took. What it holds back is sent by Flush or a later put; Pending says
// whether there is any. A message that is empty or over MaxFrame is ErrTooLarge:
// those before it are taken, nothing of it is sent.
func (l *Link) TryPutBatch(msgs [][]byte) (int, error) {
	if l.werr != nil {
		return 0, l.werr
	}
	n := 0
	var bad error
	for ; n < len(msgs) && len(l.out)-l.sent < outboxLimit; n++ {
		if len(msgs[n]) > MaxFrame || len(msgs[n]) == 0 {
			bad = ErrTooLarge
			break
		}
		l.room(headerSize + len(msgs[n]))
		l.out = AppendFrame(l.out, msgs[n])
	}
	l.push()
	if l.werr != nil {
		return n, l.werr
	}
	return n, bad
}

// room makes place for n bytes by moving what is left to the front, when that is
// cheaper than growing.
func (l *Link) room(n int) {
	if l.sent > 0 && len(l.out)+n > cap(l.out) && l.sent >= len(l.out)-l.sent {
		l.out = l.out[:copy(l.out, l.out[l.sent:])]
		l.sent = 0
	}
}

// push writes once, without blocking.
func (l *Link) push() {
	if !l.Pending() || l.raw == nil || l.werr != nil {
		return
	}
	wrote := 0
	err := l.raw.Write(func(fd uintptr) bool {
		n, err := writeFD(fd, l.out[l.sent:])
		wrote = max(n, 0)
		if err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
			l.werr = os.NewSyscallError("write", err)
		}
		return true
	})
	if err != nil && l.werr == nil {
		// The write was not tried: os.File says so in a way of its own.
		l.werr = os.ErrClosed
	}
	l.wrote(wrote)
}

func (l *Link) wrote(n int) {
	if l.sent += n; l.sent < len(l.out) {
		return
	}
	l.sent = 0
	if l.out = l.out[:0]; cap(l.out) > 2*outboxLimit {
		l.out = nil
	}
}

// Pending reports whether a put has left something unwritten.
func (l *Link) Pending() bool { return l.sent < len(l.out) }

// Flush writes what is pending, and blocks until the pipe has taken it, the
// context ends, or the link fails.
func (l *Link) Flush(ctx context.Context) error {
	switch {
	case l.werr != nil:
		return l.werr
	case !l.Pending():
		return nil
	}
	if ctx.Done() != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if l.alarm != nil {
			defer l.alarm.during(ctx)()
		}
	}
	n, err := l.w.Write(l.out[l.sent:])
	l.wrote(n)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded):
		return context.Cause(ctx) // the rest stays pending, the stream whole
	}
	l.werr = err
	return err
}

// PutBatch writes messages, in as few system calls as they fit in, and blocks
// until the pipe has taken them all. It returns how many were taken; when the
// context ends in the middle of one, that counts as taken and its rest is sent
// by the next put. A context that has ended before takes none. A message that is
// empty or over MaxFrame is ErrTooLarge; those before it are sent, nothing of it
// is.
func (l *Link) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	n := 0
	for n < len(msgs) || l.Pending() {
		took, bad := l.TryPutBatch(msgs[n:])
		n += took
		if err := l.Flush(ctx); err != nil {
			return n, err
		}
		if bad != nil {
			return n, bad
		}
	}
	return n, nil
}

// Close closes both pipes. A get or put that is blocked returns, if the runtime
// polls its descriptor.
func (l *Link) Close() error {
	l.close.Do(func() {
		w, _ := l.w.(io.Closer)
		r, _ := l.src.(io.Closer)
		if w == r {
			r = nil // one connection is both ends
		}
		for _, end := range []io.Closer{w, r} {
			if end == nil {
				continue
			}
			if err := end.Close(); l.cerr == nil && !errors.Is(err, os.ErrClosed) {
				l.cerr = err
			}
		}
	})
	return l.cerr
}
