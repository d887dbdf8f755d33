package ipc

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"
)

const headerSize = 4

// AppendFrame appends the frame of one body: its length, then itself.
func AppendFrame(dst, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(body))), body...)
}

// readDeadliner is what *os.File and net.Conn are: a frame that has begun to
// arrive on one must end in time.
type readDeadliner interface{ SetReadDeadline(time.Time) error }

// Reader cuts a stream into frames, in place: a frame is a part of the buffer.
// The buffer grows with what has arrived, never with what a length promises.
// It is not safe for concurrent use.
type Reader struct {
	src      io.Reader
	deadline readDeadliner // nil when src has none
	armed    bool          // a deadline is set
	buf      []byte
	r, w     int    // buf[r:w] is not yet handed out
	total    uint64 // bytes taken from src since the last Mark
	grace    func(int) time.Duration
	err      error // sticky
}

const readBuffer = 64 << 10

// NewReader returns a Reader of src. When src has read deadlines, a frame must
// arrive whole within 30 s and 1 s for each MiB from its first byte; the time
// before a frame is not limited.
func NewReader(src io.Reader) *Reader {
	d, _ := src.(readDeadliner)
	return &Reader{src: src, deadline: d, buf: make([]byte, readBuffer), grace: frameDeadline}
}

// Total returns how many bytes of the stream have been read since Mark.
func (r *Reader) Total() uint64 { return r.total }

// Append adds bytes that continue the stream but came by another way, after src
// has ended.
func (r *Reader) Append(p []byte) {
	r.compact()
	r.buf = append(r.buf[:r.w], p...)
	r.w = len(r.buf)
	r.buf = r.buf[:cap(r.buf)]
	r.total += uint64(len(p))
	if r.err == io.EOF || errors.Is(r.err, io.ErrUnexpectedEOF) {
		r.err = nil
	}
	r.src = eof{}
	r.deadline = nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Ready reports whether a whole frame, or a bad one, is in the buffer, so that
// Next will not read.
func (r *Reader) Ready() bool {
	if r.w-r.r < headerSize {
		return false
	}
	n := int(binary.BigEndian.Uint32(r.buf[r.r:]))
	return n == 0 || n > MaxFrame || r.w-r.r-headerSize >= n
}

// Next returns the body of the next frame. It is valid until the next call that
// reads: Next when Ready is false. The error is io.EOF between two frames,
// io.ErrUnexpectedEOF inside one, a *ProtocolError for a bad length or a late
// frame, or what the source returned.
func (r *Reader) Next() ([]byte, error) {
	for !r.Ready() {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	n := int(binary.BigEndian.Uint32(r.buf[r.r:]))
	if n == 0 || n > MaxFrame {
		r.err = violation(0, "frame of %d bytes, 1 to %d are allowed", uint32(n), MaxFrame)
		return nil, r.err
	}
	body := r.buf[r.r+headerSize : r.r+headerSize+n : r.r+headerSize+n]
	r.r += headerSize + n
	return body, nil
}

// compact moves what is left to the front, and makes room.
func (r *Reader) compact() {
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.r = 0
	}
	if r.w == len(r.buf) { // a frame longer than the buffer: it has come this far
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	} else if len(r.buf) > readBuffer && r.w == 0 {
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
	if r.deadline != nil {
		switch {
		case partial && !r.armed:
			r.armed = r.deadline.SetReadDeadline(time.Now().Add(r.grace(r.pending()))) == nil
		case !partial && r.armed:
			r.armed = false
			r.deadline.SetReadDeadline(time.Time{})
		}
	}
	n, err := r.src.Read(r.buf[r.w:])
	if n == 0 && r.armed && errors.Is(err, os.ErrDeadlineExceeded) {
		// This process may have been stopped for as long: what has arrived
		// meanwhile counts.
		r.deadline.SetReadDeadline(time.Now().Add(time.Second))
		if n, err = r.src.Read(r.buf[r.w:]); n > 0 {
			r.armed = false // another deadline for the rest
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			err = violation(0, "frame did not end within %v", r.grace(r.pending()))
		}
	}
	r.w += n
	r.total += uint64(n)
	if n > 0 {
		return nil
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF) && partial:
		err = io.ErrUnexpectedEOF
	}
	r.err = err
	return err
}

// pending is the length of the frame that has begun, as far as it is known.
func (r *Reader) pending() int {
	if r.w-r.r < headerSize {
		return 0
	}
	return int(min(binary.BigEndian.Uint32(r.buf[r.r:]), MaxFrame))
}

// forgive forgets an error that a cancelled read left behind: the stream is
// whole.
func (r *Reader) forgive() {
	r.err = nil
	r.armed = false
}
