package ipc

import (
	"strings"
	"unicode/utf8"
)

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
	Items   uint64 // job: the payload is an array of so many arguments; 0 = it is the argument

	Status Status // result, reply
	Level  Level  // log
	Stream uint8  // output: 1 stdout, 2 stderr

	// Body is the payload of job, result, call, reply, progress and log, the
	// chunk of data, the bytes of output. Nil when the payload follows in data
	// or place frames: then Size is its length.
	Body []byte
	Size uint64
	// Place is where in the arena Size bytes of a payload stand, of place.
	Place uint64

	Bytes     uint64 // credit: how many more; data, place: see Assembler.Add
	Interrupt bool   // cancel: also when it has started

	// StdoutEnd and StderrEnd are the worker's write offsets in its captured
	// output after this job, when it says so: HasOffsets.
	StdoutEnd, StderrEnd uint64
	HasOffsets           bool
}

// Chunked reports whether the payload follows in data frames.
func (m *Message) Chunked() bool { return m.Body == nil && m.Size > 0 && m.Kind != KindPlace }

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
// by its size only: send it with AppendData. Task, label and key must be UTF-8
// of at most MaxName bytes, which is not checked here.
func AppendJob(b []byte, id uint64, task string, attempt uint32, timeoutMS uint64, label, key string, payload []byte) []byte {
	return appendPayload(appendJobHead(b, 8, id, task, attempt, timeoutMS, label, key), payload)
}

// AppendJobSize is AppendJob for a payload of size bytes, at least 1, that
// follows in data frames, however short it is.
func AppendJobSize(b []byte, id uint64, task string, attempt uint32, timeoutMS uint64, label, key string, size int) []byte {
	return appendUint(appendJobHead(b, 8, id, task, attempt, timeoutMS, label, key), uint64(size))
}

// AppendJobItems is AppendJob for a payload that is an array of items arguments,
// 1 to MaxItems, for a worker with CapMap.
func AppendJobItems(b []byte, id uint64, task string, attempt uint32, timeoutMS uint64, label, key string, payload []byte, items uint64) []byte {
	return appendUint(appendPayload(appendJobHead(b, 9, id, task, attempt, timeoutMS, label, key), payload), items)
}

// AppendJobItemsSize is AppendJobItems for a payload that follows.
func AppendJobItemsSize(b []byte, id uint64, task string, attempt uint32, timeoutMS uint64, label, key string, size int, items uint64) []byte {
	b = appendUint(appendJobHead(b, 9, id, task, attempt, timeoutMS, label, key), uint64(size))
	return appendUint(b, items)
}

func appendJobHead(b []byte, elems int, id uint64, task string, attempt uint32, timeoutMS uint64, label, key string) []byte {
	b = appendHead(b, elems, KindJob, id)
	b = appendStr(b, task)
	b = appendUint(b, uint64(attempt))
	b = appendUint(b, timeoutMS)
	b = appendStr(b, label)
	return appendStr(b, key)
}

// AppendData appends the body of a data frame: the next chunk, of at most
// MaxInline bytes, of the payload that the frame with this id announced.
func AppendData(b []byte, id uint64, chunk []byte) []byte {
	return appendBin(appendHead(b, 3, KindData, id), chunk)
}

// AppendPlace appends the body of a place frame: the next size bytes of the payload
// that the frame with this id announced stand at offset in the sender's half of the
// arena. See Shelf.
func AppendPlace(b []byte, id, offset, size uint64) []byte {
	return appendUint(appendUint(appendHead(b, 4, KindPlace, id), offset), size)
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

// AppendResultSize is AppendResult for a payload of size bytes, at least 1, that
// follows in data frames.
func AppendResultSize(b []byte, id uint64, s Status, size int) []byte {
	b = appendHead(b, 4, KindResult, id)
	return appendUint(append(b, byte(s)), uint64(size))
}

// AppendResultSizeOffsets is AppendResultOffsets for a payload that follows.
func AppendResultSizeOffsets(b []byte, id uint64, s Status, size int, stdoutEnd, stderrEnd uint64) []byte {
	b = appendHead(b, 6, KindResult, id)
	b = appendUint(append(b, byte(s)), uint64(size))
	return appendUint(appendUint(b, stdoutEnd), stderrEnd)
}

// AppendProgress reports how far a started job is; the payload is the user's, of
// at most MaxInline bytes.
func AppendProgress(b []byte, id uint64, payload []byte) []byte {
	return appendBin(appendHead(b, 3, KindProgress, id), payload)
}

// AppendLog sends a log line of the job with this id, or of the worker with 0.
// The payload is a msgpack array of keys and values in turn, or empty, of at
// most MaxInline bytes. Any text may be logged: what is not UTF-8 in msg becomes
// U+FFFD, and what goes beyond MaxInline bytes is cut off.
func AppendLog(b []byte, id uint64, l Level, msg string, payload []byte) []byte {
	if !utf8.ValidString(msg) {
		msg = strings.ToValidUTF8(msg, "\uFFFD")
	}
	if len(msg) > MaxInline {
		msg = msg[:MaxInline]
		for !utf8.ValidString(msg[len(msg)-min(len(msg), utf8.UTFMax):]) && len(msg) > 0 {
			msg = msg[:len(msg)-1]
		}
	}
	b = appendHead(b, 5, KindLog, id)
	b = append(b, byte(l))
	return appendBin(appendStr(b, msg), payload)
}

// AppendOutput sends what a job wrote to stdout (1) or stderr (2), at most
// MaxInline bytes at a time, for a worker whose own descriptors cannot be
// captured. The id is 0 for what no job wrote.
func AppendOutput(b []byte, id uint64, stream uint8, p []byte) []byte {
	return appendBin(append(appendHead(b, 4, KindOutput, id), stream), p)
}

// AppendCall asks the supervisor for something; the reply carries the same id.
// Calls are numbered by the worker, apart from jobs; one with id 0 is a post,
// which has no reply, and whose payload is inline.
func AppendCall(b []byte, id uint64, op string, payload []byte) []byte {
	return appendPayload(appendStr(appendHead(b, 4, KindCall, id), op), payload)
}

// AppendReply answers a call. A payload of more than MaxInline bytes is sent in
// parts: all but the last with StatusPart.
func AppendReply(b []byte, id uint64, s Status, part []byte) []byte {
	return appendBin(append(appendHead(b, 4, KindReply, id), byte(s)), part)
}
