package ipc

import "fmt"

// Kind is the first element of every envelope.
type Kind uint8

// The kinds of frames. The comment says who sends it, and the elements after
// the kind.
const (
	KindHello    Kind = 1  // supervisor: 0, map
	KindReady    Kind = 2  // worker: 0, nonce, map
	KindJob      Kind = 3  // supervisor: id, task, attempt, timeout ms, name, key, payload or size
	KindData     Kind = 4  // both: id, chunk
	KindCredit   Kind = 5  // both: 0, bytes
	KindCancel   Kind = 6  // supervisor: id, interrupt
	KindStop     Kind = 7  // supervisor: 0
	KindPing     Kind = 8  // both: id
	KindPong     Kind = 9  // both: id
	KindResult   Kind = 10 // worker: id, status, payload or size, stdout offset, stderr offset
	KindProgress Kind = 11 // worker: id, payload
	KindLog      Kind = 12 // worker: id, level, message, payload
	KindOutput   Kind = 13 // worker: id, stream, bytes
	KindCall     Kind = 14 // worker: id, operation, payload or size
	KindReply    Kind = 15 // supervisor: id, status, payload
	KindPlace    Kind = 16 // both: id, offset, bytes
)

var kindNames = [...]string{
	KindHello: "hello", KindReady: "ready", KindJob: "job", KindData: "data",
	KindCredit: "credit", KindCancel: "cancel", KindStop: "stop", KindPing: "ping",
	KindPong: "pong", KindResult: "result", KindProgress: "progress", KindLog: "log",
	KindOutput: "output", KindCall: "call", KindReply: "reply", KindPlace: "place",
}

func (k Kind) String() string {
	if k > 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Status is how a job was answered.
type Status uint8

const (
	StatusOK        Status = 0 // the payload is the task's result
	StatusFailed    Status = 1 // the payload describes the error or the panic
	StatusCancelled Status = 2 // it had started and ended because it was cancelled; payload as for StatusFailed
	StatusRecalled  Status = 3 // it was cancelled or taken back before it had started; the payload is nil

	// StatusPart is of a reply only: the payload goes on in the next reply with
	// this id.
	StatusPart Status = 3
)

var statusNames = [...]string{"ok", "failed", "cancelled", "recalled"}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// Level is the severity of a log frame.
type Level uint8

const (
	LevelDebug Level = 1
	LevelInfo  Level = 2
	LevelWarn  Level = 3
	LevelError Level = 4
)
