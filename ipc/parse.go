package ipc

import (
	"encoding/binary"
	"unicode/utf8"
)

// elements is how many elements the array of each kind has at least, kind and id
// included.
var elements = [...]int{
	KindHello: 3, KindReady: 4, KindJob: 8, KindData: 3, KindCredit: 3, KindCancel: 3,
	KindStop: 2, KindPing: 2, KindPong: 2, KindResult: 4, KindProgress: 3, KindLog: 5,
	KindOutput: 4, KindCall: 4, KindReply: 4, KindPlace: 4,
}

// Parse decodes one envelope, except hello and ready, which have their own
// functions. Elements after the known ones are skipped if they are valid: a
// later minor change may add some. The error is a *ProtocolError.
func Parse(b []byte) (m Message, err error) {
	err = m.Parse(b)
	return m, err
}

// Parse is the function Parse into a message that is used again and again.
func (m *Message) Parse(b []byte) error {
	*m = Message{}
	c := cursor{b: b}
	n, ok := c.arrayLen()
	if !ok || n < 2 {
		return violation(0, "not an array of at least 2 elements")
	}
	k, ok := c.uint()
	if !ok || k == 0 || k >= uint64(len(elements)) {
		return violation(0, "no such kind")
	}
	m.Kind = Kind(k)
	if m.ID, ok = c.uint(); !ok {
		return bad(m, "id")
	}
	known := elements[k]
	if n < known {
		return violation(m.Kind, "%d elements, %d are needed", n, known)
	}
	switch m.Kind {
	case KindHello, KindReady:
		return violation(m.Kind, "out of place")
	case KindJob:
		if m.Name, ok = c.text(MaxName); !ok {
			return bad(m, "task")
		}
		attempt, ok := c.uint()
		if !ok || attempt>>32 != 0 {
			return bad(m, "attempt")
		}
		m.Attempt = uint32(attempt)
		if m.Timeout, ok = c.uint(); !ok {
			return bad(m, "timeout")
		}
		if m.Label, ok = c.text(MaxName); !ok {
			return bad(m, "name")
		}
		if m.Key, ok = c.text(MaxName); !ok {
			return bad(m, "key")
		}
		if !c.payload(m) {
			return bad(m, "payload")
		}
		if n == known {
			break
		}
		known++
		if m.Items, ok = c.uint(); !ok || m.Items == 0 || m.Items > MaxItems {
			return bad(m, "items")
		}
	case KindResult:
		status, ok := c.uint()
		if !ok || status > uint64(StatusRecalled) {
			return bad(m, "status")
		}
		m.Status = Status(status)
		if !c.payload(m) {
			return bad(m, "payload")
		}
		if n == known {
			break
		}
		known += 2 // the offsets are there both or not at all
		if m.StdoutEnd, ok = c.uint(); !ok {
			return bad(m, "stdout offset")
		}
		if m.StderrEnd, ok = c.uint(); !ok || n < known {
			return bad(m, "stderr offset")
		}
		m.HasOffsets = true
	case KindData:
		if m.Body, ok = c.chunk(); !ok || len(m.Body) == 0 {
			return bad(m, "chunk")
		}
	case KindCredit:
		if m.Bytes, ok = c.uint(); !ok {
			return bad(m, "bytes")
		}
	case KindCancel:
		if m.Interrupt, ok = c.flag(); !ok {
			return bad(m, "interrupt")
		}
	case KindStop, KindPing, KindPong:
	case KindProgress:
		if m.Body, ok = c.chunk(); !ok {
			return bad(m, "payload")
		}
	case KindLog:
		level, ok := c.uint()
		if !ok || level < uint64(LevelDebug) || level > uint64(LevelError) {
			return bad(m, "level")
		}
		m.Level = Level(level)
		if m.Name, ok = c.text(MaxInline); !ok {
			return bad(m, "message")
		}
		if m.Body, ok = c.chunk(); !ok {
			return bad(m, "payload")
		}
	case KindOutput:
		stream, ok := c.uint()
		if !ok || stream != 1 && stream != 2 {
			return bad(m, "stream")
		}
		m.Stream = uint8(stream)
		if m.Body, ok = c.chunk(); !ok {
			return bad(m, "bytes")
		}
	case KindCall:
		if m.Name, ok = c.text(MaxName); !ok {
			return bad(m, "operation")
		}
		if !c.payload(m) {
			return bad(m, "payload")
		}
		if m.ID == 0 && m.Chunked() {
			return violation(m.Kind, "a post whose payload follows")
		}
	case KindReply:
		status, ok := c.uint()
		if !ok || status > uint64(StatusPart) {
			return bad(m, "status")
		}
		m.Status = Status(status)
		if m.Body, ok = c.chunk(); !ok {
			return bad(m, "payload")
		}
		m.Size = uint64(len(m.Body))
	case KindPlace:
		if m.Place, ok = c.uint(); !ok {
			return bad(m, "offset")
		}
		if m.Size, ok = c.uint(); !ok || m.Size == 0 {
			return bad(m, "bytes")
		}
	}
	if n > known {
		if err := c.skip(n - known); err != nil {
			return violation(m.Kind, "bad element after the known ones: %s", reason(err))
		}
	}
	if c.left() != 0 {
		return violation(m.Kind, "%d trailing bytes", c.left())
	}
	if m.ID == 0 && needsID(m.Kind) {
		return bad(m, "id")
	}
	return nil
}

// bad is the error for an element that is missing, of another type, or out of
// range.
func bad(m *Message, element string) error {
	return violation(m.Kind, "bad or missing %s", element)
}

// needsID reports whether a frame of this kind is about a job: those are numbered
// from 1, as calls are, where 0 is a post, and a reply with 0 a notice.
func needsID(k Kind) bool {
	switch k {
	case KindJob, KindData, KindCancel, KindResult, KindProgress, KindPlace:
		return true
	}
	return false
}

// text reads a string of valid UTF-8 of at most limit bytes.
func (c *cursor) text(limit int) ([]byte, bool) {
	s, ok := c.str()
	return s, ok && len(s) <= limit && (ascii(s) || utf8.Valid(s))
}

// ascii reports whether s is all ASCII, eight bytes at a time: names nearly
// always are, and utf8.Valid takes half of the time of parsing a job.
func ascii(s []byte) bool {
	const high = 0x8080808080808080
	n := len(s)
	if n < 8 {
		var any byte
		for _, x := range s {
			any |= x
		}
		return any < utf8.RuneSelf
	}
	any := binary.LittleEndian.Uint64(s[n-8:]) // the tail; it may overlap
	for i := 0; i+8 <= n; i += 8 {
		any |= binary.LittleEndian.Uint64(s[i:])
	}
	return any&high == 0
}

func (c *cursor) flag() (value, ok bool) {
	t, ok := c.peek()
	if !ok || t != 0xc2 && t != 0xc3 {
		return false, false
	}
	c.p++
	return t == 0xc3, true
}

// chunk reads a bin of at most MaxInline bytes.
func (c *cursor) chunk() ([]byte, bool) {
	b, ok := c.bin()
	return b, ok && len(b) <= MaxInline
}

// payload reads an inline payload, or the size of a chunked one.
func (c *cursor) payload(m *Message) (ok bool) {
	if c.isBin() {
		m.Body, ok = c.chunk()
		m.Size = uint64(len(m.Body))
		return ok
	}
	m.Size, ok = c.uint()
	return ok && m.Size > 0
}
