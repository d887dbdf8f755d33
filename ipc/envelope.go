package ipc

import "unicode/utf8"

// Message is a decoded envelope. Which fields are set depends on Kind; the
// byte slices are parts of the buffer that was parsed, and live as long as that.
type Message struct {
	Kind Kind
	ID   uint64

	Name    []byte // job: the task; call: the operation; log: the text
	Label   []byte // job: what the supervisor calls it, such as "resize#12"
	Key     []byte // job: idempotency key
	Attempt uint32 // job: from 1
	Timeout uint64 // job: soft limit in ms from its start, 0 = none

	Status Status // result, reply
	Level  Level  // log
	Stream uint8  // output: 1 stdout, 2 stderr

	// Body is the payload of job, result, call, reply, progress and log, the
	// chunk of data, the bytes of output. Nil when the payload follows in data
	// frames: then Size is its length.
	Body []byte
	Size uint64

	Bytes     uint64 // credit: how many more
	Interrupt bool   // cancel: also when it has started

	// StdoutEnd and StderrEnd are the worker's write offsets in its captured
	// output after this job, when it says so: HasOffsets.
	StdoutEnd, StderrEnd uint64
	HasOffsets           bool
}

// Chunked reports whether the payload follows in data frames.
func (m *Message) Chunked() bool { return m.Body == nil && m.Size > 0 }

func appendHead(b []byte, elems int, k Kind, id uint64) []byte {
	return appendUint(append(b, 0x90|byte(elems), byte(k)), id)
}

// appendPayload writes an inline payload, or the size of one that is too long
// for that. A nil payload is an empty one.
func appendPayload(b, payload []byte) []byte {
	if len(payload) > MaxInline {
		return appendUint(b, uint64(len(payload)))
	}
	return appendBin(b, payload)
}

// AppendJob appends a job frame's body. A payload over MaxInline is announced
// by its size only: send it with AppendData.
func AppendJob(b []byte, id uint64, task string, attempt uint32, timeoutMS uint64, label, key string, payload []byte) []byte {
	b = appendHead(b, 8, KindJob, id)
	b = appendStr(b, task)
	b = appendUint(b, uint64(attempt))
	b = appendUint(b, timeoutMS)
	b = appendStr(b, label)
	b = appendStr(b, key)
	return appendPayload(b, payload)
}

// AppendData appends the body of a data frame: the next chunk, of at most
// MaxInline bytes, of the payload that the frame with this id announced.
func AppendData(b []byte, id uint64, chunk []byte) []byte {
	return appendBin(appendHead(b, 3, KindData, id), chunk)
}

// AppendCredit allows the peer n more payload bytes.
func AppendCredit(b []byte, n uint64) []byte {
	return appendUint(appendHead(b, 3, KindCredit, 0), n)
}

// AppendCancel asks for a job back. Without interrupt only when it has not
// started; with it a started job's context is cancelled too.
func AppendCancel(b []byte, id uint64, interrupt bool) []byte {
	b = appendHead(b, 3, KindCancel, id)
	if interrupt {
		return append(b, 0xc3)
	}
	return append(b, 0xc2)
}

// AppendStop tells the worker that no job will follow: it ends after those it has.
func AppendStop(b []byte) []byte { return appendHead(b, 2, KindStop, 0) }

// AppendPing asks for a pong with the same id.
func AppendPing(b []byte, id uint64) []byte { return appendHead(b, 2, KindPing, id) }

// AppendPong answers a ping.
func AppendPong(b []byte, id uint64) []byte { return appendHead(b, 2, KindPong, id) }

// AppendResult answers a job.
func AppendResult(b []byte, id uint64, s Status, payload []byte) []byte {
	b = appendHead(b, 4, KindResult, id)
	b = append(b, byte(s))
	return appendPayload(b, payload)
}

// AppendResultOffsets answers a job that has moved the worker's write offsets
// in its captured output.
func AppendResultOffsets(b []byte, id uint64, s Status, payload []byte, stdoutEnd, stderrEnd uint64) []byte {
	b = appendHead(b, 6, KindResult, id)
	b = append(b, byte(s))
	b = appendPayload(b, payload)
	return appendUint(appendUint(b, stdoutEnd), stderrEnd)
}

// AppendProgress reports how far a started job is; the payload is the user's.
func AppendProgress(b []byte, id uint64, payload []byte) []byte {
	return appendBin(appendHead(b, 3, KindProgress, id), payload)
}

// AppendLog sends a log line of the job with this id, or of the worker with 0.
// The payload is a msgpack array of keys and values in turn, or empty.
func AppendLog(b []byte, id uint64, l Level, msg string, payload []byte) []byte {
	b = appendHead(b, 5, KindLog, id)
	b = append(b, byte(l))
	return appendBin(appendStr(b, msg), payload)
}

// AppendOutput sends what a job wrote to stdout (1) or stderr (2), for a worker
// whose own descriptors cannot be captured.
func AppendOutput(b []byte, id uint64, stream uint8, p []byte) []byte {
	return appendBin(append(appendHead(b, 4, KindOutput, id), stream), p)
}

// AppendCall asks the supervisor for something; the reply carries the same id.
// Calls are numbered by the worker, apart from jobs.
func AppendCall(b []byte, id uint64, op string, payload []byte) []byte {
	return appendPayload(appendStr(appendHead(b, 4, KindCall, id), op), payload)
}

// AppendReply answers a call.
func AppendReply(b []byte, id uint64, s Status, payload []byte) []byte {
	return appendPayload(append(appendHead(b, 4, KindReply, id), byte(s)), payload)
}

// Parse decodes one envelope, except hello and ready, which have their own
// functions. Elements after the known ones are skipped if they are valid: a
// later minor change may add some. The error is a *ProtocolError.
func Parse(b []byte) (Message, error) {
	var m Message
	c := cursor{b: b}
	n, ok := c.arrayLen()
	if !ok || n < 2 {
		return m, violation(0, "not an array of at least 2 elements")
	}
	k, ok := c.uint()
	if !ok || k == 0 || k >= uint64(len(kindNames)) {
		return m, violation(0, "no such kind")
	}
	m.Kind = Kind(k)
	if m.ID, ok = c.uint(); !ok {
		return m, violation(m.Kind, "bad id")
	}
	n -= 2
	what := ""
	// need takes an element that must be there, and remembers its name for the
	// error.
	need := func(name string) bool {
		what = name
		n--
		return n >= 0
	}
	ok = true
	switch m.Kind {
	case KindHello, KindReady:
		return m, violation(m.Kind, "out of place")
	case KindJob:
		ok = need("task") && c.text(&m.Name, MaxName) &&
			need("attempt") && c.uint32(&m.Attempt) &&
			need("timeout") && c.uint64(&m.Timeout) &&
			need("name") && c.text(&m.Label, MaxName) &&
			need("key") && c.text(&m.Key, MaxName) &&
			need("payload") && c.payload(&m)
	case KindData:
		ok = need("chunk") && c.chunk(&m.Body) && len(m.Body) > 0
	case KindCredit:
		ok = need("bytes") && c.uint64(&m.Bytes)
	case KindCancel:
		ok = need("interrupt") && c.flag(&m.Interrupt)
	case KindStop, KindPing, KindPong:
	case KindResult:
		var s uint64
		ok = need("status") && c.uint64(&s) && s <= uint64(StatusRecalled) &&
			need("payload") && c.payload(&m)
		m.Status = Status(s)
		if ok && n >= 2 {
			ok = need("stdout offset") && c.uint64(&m.StdoutEnd) &&
				need("stderr offset") && c.uint64(&m.StderrEnd)
			m.HasOffsets = true
		}
	case KindProgress:
		ok = need("payload") && c.chunk(&m.Body)
	case KindLog:
		var l uint64
		ok = need("level") && c.uint64(&l) && l >= uint64(LevelDebug) && l <= uint64(LevelError) &&
			need("message") && c.text(&m.Name, MaxInline) &&
			need("payload") && c.chunk(&m.Body)
		m.Level = Level(l)
	case KindOutput:
		var s uint64
		ok = need("stream") && c.uint64(&s) && (s == 1 || s == 2) &&
			need("bytes") && c.chunk(&m.Body)
		m.Stream = uint8(s)
	case KindCall:
		ok = need("operation") && c.text(&m.Name, MaxName) && need("payload") && c.payload(&m)
	case KindReply:
		var s uint64
		ok = need("status") && c.uint64(&s) && s <= uint64(StatusCancelled) &&
			need("payload") && c.payload(&m)
		m.Status = Status(s)
	}
	if !ok {
		return m, violation(m.Kind, "bad or missing %s", what)
	}
	for ; n > 0; n-- {
		if err := c.skip(); err != nil {
			return m, violation(m.Kind, "bad element after the known ones")
		}
	}
	if c.left() != 0 {
		return m, violation(m.Kind, "%d trailing bytes", c.left())
	}
	return m, nil
}

// text reads a string of valid UTF-8 of at most limit bytes.
func (c *cursor) text(dst *[]byte, limit int) bool {
	s, ok := c.str()
	*dst = s
	return ok && len(s) <= limit && utf8.Valid(s)
}

func (c *cursor) uint64(dst *uint64) bool {
	v, ok := c.uint()
	*dst = v
	return ok
}

func (c *cursor) uint32(dst *uint32) bool {
	v, ok := c.uint()
	*dst = uint32(v)
	return ok && v>>32 == 0
}

func (c *cursor) flag(dst *bool) bool {
	t, ok := c.peek()
	if !ok || t != 0xc2 && t != 0xc3 {
		return false
	}
	c.p++
	*dst = t == 0xc3
	return true
}

// chunk reads a bin of at most MaxInline bytes.
func (c *cursor) chunk(dst *[]byte) bool {
	b, ok := c.bin()
	*dst = b
	return ok && len(b) <= MaxInline
}

// payload reads an inline payload, or the size of a chunked one.
func (c *cursor) payload(m *Message) bool {
	if c.isBin() {
		ok := c.chunk(&m.Body)
		m.Size = uint64(len(m.Body))
		return ok
	}
	return c.uint64(&m.Size) && m.Size > 0
}
