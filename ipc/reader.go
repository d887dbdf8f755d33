package ipc

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// Reader cuts a stream into frames, in place: a frame is a part of the buffer.
// The buffer grows with what has arrived, never with what a length promises.
// It is not safe for concurrent use.
type Reader struct {
	src   io.Reader
	buf   []byte
	r, w  int    // buf[r:w] is not yet handed out
	total uint64 // bytes taken from src since the ready frame began
	err   error  // sticky

	// A frame that has begun must end in time. The time is counted in ticks
	// that passed while it was waited for: one that this process slept through,
	// being stopped, counts as a single tick however long it was.
	alarm *alarm // nil when src has no deadlines
	armed bool   // a tick is running
	timed bool   // false while strays are read
	ticks int    // that the frame at the front has taken
	tick  time.Duration
	grace func(int) time.Duration

	spin spinner

	parts  *Assembler      // of the payload that is open, or nil
	raw    syscall.RawConn // of src, for reads to several places; nil if it has none
	direct int             // bytes that belong into parts, and stand in src before those of buf
}

const (
	readBuffer = 64 << 10

	// keepBuffer holds any frame with an inline payload: a larger buffer is
	// given back when it is empty.
	keepBuffer = 2 * readBuffer

	frameTick = time.Second
)

// NewReader returns a Reader of src. When src has read deadlines (pipes and
// sockets, as *os.File or net.Conn, do), a frame must arrive whole within 30 s
// and 1 s for each MiB from its first byte; the time before a frame is not
// limited. Time in which this process did not run is forgiven.
func NewReader(src io.Reader) *Reader {
	r := &Reader{src: src, buf: make([]byte, readBuffer), timed: true, tick: frameTick, grace: frameDeadline}
	if d, ok := src.(interface{ SetReadDeadline(time.Time) error }); ok {
		r.alarm = &alarm{set: d.SetReadDeadline}
	}
	return r
}

// Total returns how many bytes of the stream have arrived, counted from the
// first byte of the ready frame, or from the start if AwaitReady was not called.
func (r *Reader) Total() uint64 { return r.total }

// Append adds bytes that continue the stream but came by another way, after src
// has ended. Frames and ends are then found as if src had brought them. It does
// not mend a stream that has broken the protocol.
func (r *Reader) Append(p []byte) {
	r.total += uint64(len(p))
	if n := min(r.direct, len(p)); n > 0 {
		copy(r.parts.free(), p[:n])
		r.direct -= r.parts.took(n)
		p = p[n:]
	}
	r.compact()
	r.buf = append(r.buf[:r.w], p...)
	r.w = len(r.buf)
	r.buf = r.buf[:cap(r.buf)]
	if !errors.Is(r.err, ErrProtocol) {
		r.err = nil
	}
	r.src = ended{}
	r.raw = nil
	r.spin = spinner{}
	r.alarm = nil
	r.timed = false
}

// ended is a source after its end.
type ended struct{}

func (ended) Read([]byte) (int, error) { return 0, io.EOF }

// length is the length of the frame at the front, whose header has arrived.
func (r *Reader) length() uint32 { return binary.BigEndian.Uint32(r.buf[r.r:]) }

// Ready reports whether a whole frame, or a bad length, is in the buffer, so
// that Next will not read.
func (r *Reader) Ready() bool {
	if r.w-r.r < headerSize {
		return false
	}
	n := r.length()
	return n == 0 || n > MaxFrame || r.w-r.r-headerSize >= int(n)
}

// Next returns the body of the next frame. It is valid until the next call that
// reads: Next when Ready is false. The error is io.EOF between two frames,
// io.ErrUnexpectedEOF inside one, a *ProtocolError for a bad length or a late
// frame, or what the source returned. It is kept, except for a deadline that
// somebody else has set on the source: the stream goes on after that.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	for !r.Ready() {
		r.divert()
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	if n := r.length(); n == 0 || n > MaxFrame {
		r.err = violation(0, "frame of %d bytes, 1 to %d are allowed", n, MaxFrame)
		return nil, r.err
	}
	start := r.r + headerSize
	end := start + int(r.length())
	r.r = end
	r.ticks = 0
	return r.buf[start:end:end], nil
}

// compact moves what is left to the front, and makes room.
func (r *Reader) compact() {
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.r = 0
	}
	switch {
	case r.w == len(r.buf): // a frame longer than the buffer: it has come this far
		grown := make([]byte, 2*len(r.buf))
		copy(grown, r.buf)
		r.buf = grown
	case r.w == 0 && len(r.buf) > keepBuffer:
		r.buf = make([]byte, readBuffer)
	}
}

// fill reads once.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	r.compact()
	partial := r.w > 0
	if partial && r.timed && !r.armed && r.alarm != nil {
		r.armed = r.alarm.arm(time.Now().Add(r.tick))
	}
	if !partial {
		if n := r.spin.read(r.space()); n > 0 {
			r.w += n
			r.total += uint64(n)
			return nil
		}
	}
	n, err := r.read()
	switch {
	case n > 0 || err == nil:
		return nil // an error that came with bytes comes again
	case errors.Is(err, os.ErrDeadlineExceeded) && r.alarm != nil:
		return r.wake(partial, err)
	case errors.Is(err, io.EOF) && partial:
		err = io.ErrUnexpectedEOF
	}
	r.err = err
	return err
}

// read is one read that may block.
func (r *Reader) read() (n int, err error) {
	if before := r.direct; before > 0 {
		n, err = r.readDirect()
		r.w += max(n-before, 0)
	} else {
		n, err = r.src.Read(r.space())
		r.w += n
	}
	r.total += uint64(n)
	return n, err
}

// wake judges a read that ended with a deadline: nil means read on. Before a
// frame is given up it was read for once more after its time, so that bytes
// which arrived while this process was stopped count.
func (r *Reader) wake(partial bool, err error) error {
	if r.alarm.rang() {
		return errInterrupted
	}
	if !r.armed {
		return err
	}
	r.armed = false
	if !partial || !r.timed {
		// The tick of an earlier frame. It is taken off, or it would end every
		// read from now on.
		r.alarm.arm(time.Time{})
		return nil
	}
	if r.ticks++; time.Duration(r.ticks-1)*r.tick >= r.grace(r.pending()) {
		r.err = violation(0, "frame did not end within %v", r.grace(r.pending()))
		return r.err
	}
	return nil
}

// pending is the length of the frame that has begun, as far as it is known.
func (r *Reader) pending() int {
	if r.w-r.r < headerSize {
		return 0
	}
	return int(min(r.length(), MaxFrame))
}
