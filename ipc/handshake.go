package ipc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A Capability is something that a worker can do beyond answering one job at a
// time; the supervisor asks for nothing that ready did not announce.
type Capability string

// The capabilities of version 1.
const (
	CapCancel  Capability = "cancel"  // answers cancel frames
	CapPong    Capability = "pong"    // answers ping frames while a job runs
	CapPage    Capability = "page"    // keeps the shared page
	CapCredit  Capability = "credit"  // counts its payload bytes against the credit
	CapOffsets Capability = "offsets" // results carry the write offsets of captured output
	CapMap     Capability = "map"     // takes jobs of many items
	CapArena   Capability = "arena"   // sends and takes long payloads in the arena
	CapStacks  Capability = "stacks"  // writes what it is doing to stderr at SIGQUIT, and ends
)

// StackMark is the line in front of the stack of a job, in what a worker with
// CapStacks writes.
const StackMark = "multiproc: the job's own stack:\n"

// Hello is the first frame of a link, from the supervisor.
type Hello struct {
	Min, Max   uint64 // protocol versions that the supervisor speaks
	Nonce      [NonceSize]byte
	FrameMax   uint64 // largest frame body in bytes, at most MaxFrame
	MessageMax uint64 // largest payload in bytes
	Credit     uint64 // payload bytes that the worker may send before more is granted; 0 = unlimited
	Worker     string // the worker's name, such as "worker-3"
	CPUs       uint64 // processors that the worker is meant to use; 0 = not said
	Threads    uint64 // jobs that the worker is meant to run at the same time; 0 = not said
}

// Ready is the worker's answer.
type Ready struct {
	Nonce        [NonceSize]byte // as in hello
	Version      uint64          // the one chosen
	PID          uint64
	Window       uint64 // jobs that may be sent before the first of them is answered, 1 to MaxWindow
	Threads      uint64 // jobs that run at the same time, 1 to Window
	Credit       uint64 // payload bytes that may be sent before more is granted; 0 = unlimited
	Capabilities []Capability
	Tasks        []string // names of the tasks, sorted; at most 64k of them
	Program      string   // what it is, for logs
}

// Has reports whether the worker announced c.
func (r *Ready) Has(c Capability) bool {
	for _, x := range r.Capabilities {
		if x == c {
			return true
		}
	}
	return false
}

// AppendHello appends the body of a hello frame.
func AppendHello(b []byte, h *Hello) []byte {
	b = appendHead(b, 3, KindHello, 0)
	n := 7
	if h.CPUs > 0 {
		n++
	}
	if h.Threads > 0 {
		n++
	}
	b = appendMapLen(b, n)
	b = appendUint(appendStr(b, "min"), h.Min)
	b = appendUint(appendStr(b, "max"), h.Max)
	b = appendBin(appendStr(b, "nonce"), h.Nonce[:])
	b = appendUint(appendStr(b, "frame_max"), h.FrameMax)
	b = appendUint(appendStr(b, "message_max"), h.MessageMax)
	b = appendUint(appendStr(b, "credit"), h.Credit)
	b = appendStr(appendStr(b, "worker"), h.Worker)
	if h.CPUs > 0 {
		b = appendUint(appendStr(b, "cpus"), h.CPUs)
	}
	if h.Threads > 0 {
		b = appendUint(appendStr(b, "threads"), h.Threads)
	}
	return b
}

// AppendReady appends the body of a ready frame.
func AppendReady(b []byte, r *Ready) []byte {
	b = appendHead(b, 4, KindReady, 0)
	b = appendBin(b, r.Nonce[:])
	b = appendMapLen(b, 8)
	b = appendUint(appendStr(b, "version"), r.Version)
	b = appendUint(appendStr(b, "pid"), r.PID)
	b = appendUint(appendStr(b, "window"), r.Window)
	b = appendUint(appendStr(b, "threads"), r.Threads)
	b = appendUint(appendStr(b, "credit"), r.Credit)
	b = appendArrayLen(appendStr(b, "capabilities"), len(r.Capabilities))
	for _, c := range r.Capabilities {
		b = appendStr(b, string(c))
	}
	b = appendArrayLen(appendStr(b, "tasks"), len(r.Tasks))
	for _, t := range r.Tasks {
		b = appendStr(b, t)
	}
	return appendStr(appendStr(b, "program"), r.Program)
}

// ParseHello decodes a hello frame's body.
func ParseHello(b []byte) (*Hello, error) {
	h := &Hello{FrameMax: MaxFrame, MessageMax: MaxMessage}
	hasNonce := false
	c := cursor{b: b}
	if err := c.opening(KindHello, 3); err != nil {
		return nil, err
	}
	err := c.fields(KindHello, func(key string) (known, ok bool) {
		switch key {
		case "min":
			h.Min, ok = c.uint()
		case "max":
			h.Max, ok = c.uint()
		case "cpus":
			h.CPUs, ok = c.uint()
		case "threads":
			h.Threads, ok = c.uint()
		case "nonce":
			ok = c.nonce(&h.Nonce)
			hasNonce = true
		case "frame_max":
			h.FrameMax, ok = c.uint()
		case "message_max":
			h.MessageMax, ok = c.uint()
		case "credit":
			h.Credit, ok = c.uint()
		case "worker":
			h.Worker, ok = c.string()
		default:
			return false, true
		}
		return true, ok
	})
	switch {
	case err != nil:
		return nil, err
	case !hasNonce:
		return nil, violation(KindHello, "no nonce")
	case h.Min == 0 || h.Max < h.Min:
		return nil, violation(KindHello, "bad version range %d to %d", h.Min, h.Max)
	case h.FrameMax == 0 || h.FrameMax > MaxFrame || h.MessageMax == 0:
		return nil, violation(KindHello, "frames of %d bytes and payloads of %d", h.FrameMax, h.MessageMax)
	case h.Min > Version || h.Max < Version:
		return nil, fmt.Errorf("%w: supervisor speaks %d to %d, this worker %d", ErrVersion, h.Min, h.Max, Version)
	}
	return h, nil
}

// ParseReady decodes a ready frame's body and checks it against h.
func ParseReady(b []byte, h *Hello) (*Ready, error) {
	r := &Ready{Window: 1, Threads: 1}
	c := cursor{b: b}
	if err := c.opening(KindReady, 4); err != nil {
		return nil, err
	}
	if !c.nonce(&r.Nonce) || r.Nonce != h.Nonce {
		return nil, violation(KindReady, "wrong nonce")
	}
	err := c.fields(KindReady, func(key string) (known, ok bool) {
		switch key {
		case "version":
			r.Version, ok = c.uint()
		case "pid":
			r.PID, ok = c.uint()
		case "window":
			r.Window, ok = c.uint()
		case "threads":
			r.Threads, ok = c.uint()
		case "credit":
			r.Credit, ok = c.uint()
		case "capabilities":
			ok = c.strings(64, func(s string) { r.Capabilities = append(r.Capabilities, Capability(s)) })
		case "tasks":
			ok = c.strings(1<<16, func(s string) { r.Tasks = append(r.Tasks, s) })
		case "program":
			r.Program, ok = c.string()
		default:
			return false, true
		}
		return true, ok
	})
	switch {
	case err != nil:
		return nil, err
	case r.Version < h.Min || r.Version > h.Max:
		return nil, fmt.Errorf("%w: worker answers with %d, this supervisor speaks %d to %d", ErrVersion, r.Version, h.Min, h.Max)
	case r.Window == 0 || r.Window > MaxWindow:
		return nil, violation(KindReady, "window of %d jobs, 1 to %d are allowed", r.Window, MaxWindow)
	case r.Threads == 0 || r.Threads > r.Window:
		return nil, violation(KindReady, "%d threads, 1 to the window of %d are allowed", r.Threads, r.Window)
	case r.Threads > MaxSlots && r.Has(CapPage):
		return nil, violation(KindReady, "%d threads, the shared page has room for %d", r.Threads, MaxSlots)
	case r.Credit != 0 && r.Credit < MaxInline:
		return nil, violation(KindReady, "credit of %d bytes, at least %d are needed for one payload", r.Credit, MaxInline)
	}
	return r, nil
}

// opening reads [kind, 0 of an array with n elements or more.
func (c *cursor) opening(k Kind, n int) error {
	if err := ValidateControl(c.b); err != nil {
		return violation(k, "%s", reason(err))
	}
	got, ok := c.arrayLen()
	if !ok || got < n {
		return violation(k, "not an array of %d elements", n)
	}
	kind, ok := c.uint()
	if !ok || kind != uint64(k) {
		return violation(k, "expected, not found")
	}
	if id, ok := c.uint(); !ok || id != 0 {
		return violation(k, "id is not 0")
	}
	return nil
}

// fields hands every key of the map to f, which reads the value or says that
// it does not know the key. ValidateControl has passed: keys are unique.
func (c *cursor) fields(k Kind, f func(key string) (known, ok bool)) error {
	n, ok := c.mapLen()
	if !ok {
		return violation(k, "map expected")
	}
	for range n {
		key, ok := c.str()
		if !ok {
			return violation(k, "key is not a string")
		}
		known, ok := f(string(key))
		if !ok {
			return violation(k, "bad value of %q", key)
		}
		if !known {
			if err := c.skip(1); err != nil {
				return violation(k, "bad value of %q", key)
			}
		}
	}
	return nil
}

func (c *cursor) nonce(dst *[NonceSize]byte) bool {
	b, ok := c.bin()
	return ok && len(b) == NonceSize && copy(dst[:], b) == NonceSize
}

func (c *cursor) string() (string, bool) {
	s, ok := c.text(MaxName)
	if !ok {
		return "", false
	}
	return string(s), true
}

func (c *cursor) strings(limit int, add func(string)) bool {
	n, ok := c.arrayLen()
	if !ok || n > limit {
		return false
	}
	for range n {
		s, ok := c.string()
		if !ok {
			return false
		}
		add(s)
	}
	return true
}

// AwaitReady reads from a worker until its ready frame. What stands before that
// is not protocol but what the program printed while it started: it is handed to
// stray, in pieces, before AwaitReady returns. The frame is recognised by the
// nonce, which the program cannot print by chance. From then on the reader is
// strict, and its Total counts from the first byte of the ready frame. The
// pieces are parts of the buffer, valid during the call.
//
// It blocks without a limit of its own: end the worker, close its link, or set a
// deadline on the source, to bound it.
//
// The error is ErrNoReady (and io.EOF or what the source returned) when the
// stream ends before, a *ProtocolError or ErrVersion for a bad ready frame.
func (r *Reader) AwaitReady(h *Hello, stray func([]byte)) (*Ready, error) {
	// length (4), array head, kind, id, bin8 head (2)
	const before = headerSize + 5
	r.timed = false // how long the start may take is the caller's to bound
	defer func() { r.timed = r.alarm != nil }()
	for {
		if i := bytes.Index(r.buf[r.r:r.w], h.Nonce[:]); i >= 0 {
			start := r.r + i - before
			if start < r.r || !bytes.Equal(r.buf[start+headerSize+1:start+before], []byte{byte(KindReady), 0, 0xc4, NonceSize}) {
				r.err = violation(KindReady, "nonce in something else: the program may have printed its input")
				return nil, r.err
			}
			if start > r.r {
				stray(r.buf[r.r:start])
				r.r = start
			}
			r.total = uint64(r.w - r.r)
			break
		}
		// Keep what may be the beginning of the frame.
		if keep := before + NonceSize - 1; r.w-r.r > keep {
			stray(r.buf[r.r : r.w-keep])
			r.r = r.w - keep
		}
		if err := r.fill(); err != nil {
			if r.w > r.r {
				stray(r.buf[r.r:r.w])
				r.r = r.w
			}
			if errors.Is(err, io.ErrUnexpectedEOF) {
				r.err = io.EOF
				err = io.EOF
			}
			return nil, fmt.Errorf("%w: %w", ErrNoReady, err)
		}
	}
	r.timed = true
	body, err := r.Next()
	if err != nil {
		return nil, err
	}
	ready, err := ParseReady(body, h)
	if err != nil {
		r.err = err
	}
	return ready, err
}
