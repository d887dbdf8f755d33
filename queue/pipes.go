package queue

import (
	"context"
	"errors"
	"io"
	"net"
)

// Pipes is the backend of a queue over a pair of pipes: it puts into one and
// gets from the other. It is safe for any number of callers in this process; of
// all processes, one at a time may get from a pipe's end, and one may put.
//
// The package documentation says what travels. Neither Len nor Full can be
// known.
type Pipes struct {
	in   *inlet    // nil: this side only puts
	out  *outlet   // nil: this side only gets
	conn io.Closer // of a connection that is both r and w
}

// NewPipes returns the backend that gets from r and puts into w. Either may be
// nil if this side only puts or only gets; the operations of the other direction
// are ErrUnsupported then. The ends of one pipe make a queue within one process,
// those of two a connection with another one.
//
// Pipes, sockets, and other readers and writers with deadlines give everything
// that Queue promises; a pipe or socket that was inherited in blocking mode is
// put into non-blocking mode. From a reader without deadlines, a goroutine reads
// ahead by up to 64 KiB, and ends with it or, after Shutdown, at its next byte.
// Into a writer without deadlines, a put cannot be cancelled while it writes.
// TryPut and TryGet need an *os.File or a connection of package net that can be
// polled, on unix.
//
// The backend owns r and w, and closes them if they are io.Closers: w after
// Close or when the reader at its other end has gone, r when it has come to its
// end, both at Shutdown. Of a connection that is both r and w, only that
// direction is closed, and all of it at Shutdown. Nothing else may use them.
func NewPipes(r io.Reader, w io.Writer) *Pipes {
	p := &Pipes{}
	var rEnd, wEnd *end
	if r != nil {
		rEnd = newReadEnd(r)
		p.in = newInlet(rEnd)
	}
	if w != nil {
		wEnd = newWriteEnd(w)
		p.out = newOutlet(wEnd)
	}
	if c, ok := w.(net.Conn); ok && r == io.Reader(c) {
		if cr, cw, ok := halves(c); ok {
			rEnd.closers, wEnd.closers, p.conn = []io.Closer{cr}, []io.Closer{cw}, c
		}
	}
	return p
}

// PutBatch implements Backend: it returns when the bytes of all messages are in
// the pipe. A message that is torn when the context ends counts as taken; Flush
// waits for its rest.
func (p *Pipes) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	if p.out == nil {
		return 0, ErrUnsupported
	}
	if ctx.Err() != nil {
		return 0, ended(ctx)
	}
	return p.out.put(ctx, msgs)
}

// TryPutBatch implements TryPutter. A message for whose first bytes there is
// room counts as taken; Flush waits for its rest.
func (p *Pipes) TryPutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	if p.out == nil {
		return 0, ErrUnsupported
	}
	for n, msg := range msgs {
		if ctx.Err() != nil {
			return n, ended(ctx)
		}
		if taken, err := p.out.tryPut(ctx, msg); !taken {
			return n, err
		}
	}
	return len(msgs), nil
}

// GetBatch implements Backend. It stores small messages in the capacity of the
// slices in dst. ErrClosed says that the other side has closed, or ended,
// between two messages; ErrLost that it ended inside one.
func (p *Pipes) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	return p.get(ctx, dst, false)
}

// TryGetBatch implements TryGetter. A message that has not come whole is none.
func (p *Pipes) TryGetBatch(ctx context.Context, dst [][]byte) (int, error) {
	n, err := p.get(ctx, dst, true)
	if errors.Is(err, ErrEmpty) {
		return 0, nil
	}
	return n, err
}

func (p *Pipes) get(ctx context.Context, dst [][]byte, try bool) (int, error) {
	switch {
	case p.in == nil:
		return 0, ErrUnsupported
	case ctx.Err() != nil:
		return 0, ended(ctx)
	case len(dst) == 0:
		return 0, nil
	}
	msg, err := p.in.get(ctx, dst[0], try)
	if err != nil {
		return 0, err
	}
	dst[0] = msg
	if len(dst) == 1 {
		return 1, nil
	}
	return 1 + p.in.more(dst[1:]), nil
}

// Flush implements Flusher.
func (p *Pipes) Flush(ctx context.Context) error {
	if p.out == nil {
		return nil
	}
	return p.out.flush(ctx)
}

// Close implements Closer: it closes w, at once or when the rest of a torn
// message is sent. Gets go on until the other side has closed too; who does not
// want to wait for that calls Shutdown. Without w it does nothing.
func (p *Pipes) Close() error {
	if p.out == nil {
		return nil
	}
	return p.out.close()
}

// Shutdown implements Shutdowner: it closes both ends at once. A torn message
// stays torn, and the other side gets ErrLost.
func (p *Pipes) Shutdown() error {
	var errs []error
	if p.out != nil {
		errs = append(errs, p.out.shutdown())
	}
	if p.in != nil {
		errs = append(errs, p.in.shutdown())
	}
	if p.conn != nil {
		if err := p.conn.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
