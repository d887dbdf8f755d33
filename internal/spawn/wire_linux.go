package spawn

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A lane carries one message per packet. Integers are little-endian; the first
// byte is the kind. The two ends are always the same build of this package or,
// with Options.Path, versions that agree on wireVersion.
const wireVersion = 4

const (
	// Supervisor to lane.
	msgStart      = 'S' // number u64, confine u16 and that many bytes, slots u8, slot flags, then strings
	msgStartBrief = 'B' // as msgStart; msgStarted and msgEnded may come as one packet
	msgStartMemfd = 'M' // as msgStart, but the strings are in the memfd that is the last descriptor
	msgSignal     = 'K' // number u64, signal u16, scope u8
	msgMark       = 'm' // number u64; answered by msgUsage
	msgMeasure    = 'u' // number u64; answered by msgUsage
	msgSurvey     = 'q' // nothing; answered by the same and a list of Part as JSON

	// Lane to supervisor.
	msgStarted = 's' // number u64, pid u32, errno u32, op u8, detail u16 and that many bytes
	msgExited  = 'x' // number u64
	msgUsage   = 'U' // number u64, and an ending as JSON, or nothing where nothing is measured
	msgEnded   = 'e' // number u64, report, and an ending as JSON or nothing

	// Guardian to supervisor, on control.
	msgReady   = 'r' // version u8
	msgRefused = 'f' // a lane's descriptor could not be taken in

	// Supervisor to guardian, on control, with one descriptor: a new lane.
	msgLane = 'l'
)

// What msgStarted says about the step that failed.
const (
	opExec byte = iota
	opChdir
	opPass
	opClosed
	opConfine
)

// inlineMax bounds a message that goes through the socket. More travels in a
// memfd, so that a lane's buffer can be small.
const inlineMax = 16 << 10

// execMax is above the most that Linux accepts for arguments and environment
// (6 MiB), and keeps absurd requests from being copied.
const execMax = 8 << 20

// maxLeaked bounds the ids listed in an end report.
const maxLeaked = 255

// maxEnding bounds an ending as JSON.
const maxEnding = 4 << 10

var errWire = errors.New("malformed lane message")

// request is a decoded msgStart.
type request struct {
	number     uint64
	slots      []byte // 1: the next descriptor of the message, 0: the null device
	path, dir  string
	argv, envv []string
	strings    []byte // these four as they came, for a stub
	brief      bool
	confine    *confine // nil: a plain process
}

// appendStart encodes everything but the strings.
func appendStart(b []byte, kind byte, number uint64, confine, slots []byte) []byte {
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(confine)))
	b = append(b, confine...)
	b = append(b, byte(len(slots)))
	return append(b, slots...)
}

// appendStrings encodes path, dir, argv and env, each string ended by NUL. The
// env is s.Env without any older marker, and then marker.
func appendStrings(b []byte, s *Spec, marker string) []byte {
	n := len(s.Path) + len(s.Dir) + len(marker) + 16
	for _, v := range s.argv() {
		n += len(v) + 1
	}
	for _, v := range s.Env {
		n += len(v) + 1
	}
	b = slices.Grow(b, n)
	str := func(v string) { b = append(append(b, v...), 0) }
	str(s.Path)
	str(s.Dir)
	argv := s.argv()
	b = binary.LittleEndian.AppendUint32(b, uint32(len(argv)))
	for _, a := range argv {
		str(a)
	}
	for _, kv := range s.Env {
		if !isMarker(kv) {
			str(kv)
		}
	}
	str(marker)
	return b
}

func isMarker(kv string) bool {
	const n = len(TreeMarker)
	return len(kv) > n && kv[n] == '=' && kv[:n] == TreeMarker
}

// decodeHead reads what appendStart wrote and returns what follows it.
func decodeHead(b []byte) (r request, rest []byte, err error) {
	const fixed = 11
	if len(b) < fixed {
		return r, nil, errWire
	}
	r.number = binary.LittleEndian.Uint64(b[1:])
	n := int(binary.LittleEndian.Uint16(b[9:]))
	if b = b[fixed:]; len(b) < n+1 || len(b) < n+1+int(b[n]) {
		return r, nil, errWire
	}
	if n > 0 {
		r.confine = new(confine)
		if err := json.Unmarshal(b[:n], r.confine); err != nil {
			return r, nil, errWire
		}
	}
	b = b[n:]
	n = 1 + int(b[0])
	r.slots = b[1:n]
	return r, b[n:], nil
}

// decodeStrings reads what appendStrings wrote. The strings are copies; b is kept,
// too.
func (r *request) decodeStrings(b []byte) error {
	r.strings = b
	// One copy for all strings: they live and die together.
	all := string(b)
	next := func() (v string, ok bool) {
		v, all, ok = strings.Cut(all, "\x00")
		return v, ok
	}
	var ok bool
	if r.path, ok = next(); !ok {
		return errWire
	}
	if r.dir, ok = next(); !ok || len(all) < 4 {
		return errWire
	}
	argc := binary.LittleEndian.Uint32([]byte(all[:4]))
	all = all[4:]
	if argc == 0 || int(argc) > len(all) {
		return errWire
	}
	r.argv = make([]string, argc)
	for i := range r.argv {
		if r.argv[i], ok = next(); !ok {
			return errWire
		}
	}
	for all != "" {
		kv, ok := next()
		if !ok {
			return errWire
		}
		r.envv = append(r.envv, kv)
	}
	return nil
}

func appendSignal(b []byte, number uint64, sig syscall.Signal, to scope) []byte {
	b = append(b, msgSignal)
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint16(b, uint16(sig))
	return append(b, byte(to))
}

func decodeSignal(b []byte) (number uint64, sig syscall.Signal, to scope, err error) {
	if len(b) != 12 || b[0] != msgSignal {
		return 0, 0, 0, errWire
	}
	return binary.LittleEndian.Uint64(b[1:]), syscall.Signal(binary.LittleEndian.Uint16(b[9:])), scope(b[11]), nil
}

// appendAsk encodes msgMark and msgMeasure.
func appendAsk(b []byte, kind byte, number uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, kind), number)
}

func decodeAsk(b []byte) (kind byte, number uint64, err error) {
	if len(b) != 9 || b[0] != msgMark && b[0] != msgMeasure {
		return 0, 0, errWire
	}
	return b[0], binary.LittleEndian.Uint64(b[1:]), nil
}

// appendUsage encodes msgUsage; e is nil where nothing is measured.
func appendUsage(b []byte, number uint64, e *ending) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, msgUsage), number)
	if e == nil {
		return b
	}
	text, err := json.Marshal(e)
	if err == nil && len(text) <= maxEnding {
		b = append(b, text...)
	}
	return b
}

func decodeUsage(b []byte) (number uint64, e *ending, err error) {
	if len(b) < 9 || b[0] != msgUsage {
		return 0, nil, errWire
	}
	if number = binary.LittleEndian.Uint64(b[1:]); len(b) == 9 {
		return number, nil, nil
	}
	e = new(ending)
	if err := json.Unmarshal(b[9:], e); err != nil {
		return 0, nil, errWire
	}
	return number, e, nil
}

// started is a decoded msgStarted.
type started struct {
	number uint64
	pid    int
	errno  syscall.Errno
	op     byte
	detail string // for people; with an error only
}

const startedLen = 20

// maxDetail bounds the detail of an error.
const maxDetail = 1 << 10

func (s started) append(b []byte) []byte {
	b = append(b, msgStarted)
	b = binary.LittleEndian.AppendUint64(b, s.number)
	b = binary.LittleEndian.AppendUint32(b, uint32(s.pid))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.errno))
	b = append(b, s.op)
	detail := s.detail[:min(len(s.detail), maxDetail)]
	b = binary.LittleEndian.AppendUint16(b, uint16(len(detail)))
	return append(b, detail...)
}

// decodeStarted returns what follows it in the packet, too.
func decodeStarted(b []byte) (s started, rest []byte, err error) {
	if len(b) < startedLen || b[0] != msgStarted {
		return s, nil, errWire
	}
	s.number = binary.LittleEndian.Uint64(b[1:])
	s.pid = int(binary.LittleEndian.Uint32(b[9:]))
	s.errno = syscall.Errno(binary.LittleEndian.Uint32(b[13:]))
	s.op = b[17]
	n := startedLen + int(binary.LittleEndian.Uint16(b[18:]))
	if len(b) < n || n > startedLen+maxDetail {
		return s, nil, errWire
	}
	s.detail = string(b[startedLen:n])
	return s, b[n:], nil
}

// report is what a lane tells about a process that has ended.
type report struct {
	wait      syscall.WaitStatus
	user, sys time.Duration
	maxRSS    int64 // bytes
	at        int64 // CLOCK_MONOTONIC, ns
	empty     bool
	leaked    []int
	ending    ending
}

const reportLen = 51

func (r *report) append(b []byte, number uint64) []byte {
	b = append(b, msgEnded)
	for _, v := range []uint64{number, uint64(r.wait), uint64(r.user), uint64(r.sys), uint64(r.maxRSS), uint64(r.at)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	if r.empty {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	leaked := r.leaked[:min(len(r.leaked), maxLeaked)]
	b = append(b, byte(len(leaked)))
	for _, pid := range leaked {
		b = binary.LittleEndian.AppendUint32(b, uint32(pid))
	}
	if e := &r.ending; e.Breach != nil || e.OOM || e.Usage != (Usage{}) || e.Parts != nil {
		text, err := json.Marshal(e)
		if err == nil && len(text) <= maxEnding {
			b = append(b, text...)
		}
	}
	return b
}

func decodeReport(b []byte) (number uint64, r report, err error) {
	if len(b) < reportLen || b[0] != msgEnded || len(b) < reportLen+4*int(b[reportLen-1]) {
		return 0, r, errWire
	}
	u := func(i int) uint64 { return binary.LittleEndian.Uint64(b[1+8*i:]) }
	r.wait = syscall.WaitStatus(u(1))
	r.user, r.sys = time.Duration(u(2)), time.Duration(u(3))
	r.maxRSS, r.at = int64(u(4)), int64(u(5))
	r.empty = b[49] == 1
	rest := b[reportLen:]
	for range int(b[reportLen-1]) {
		r.leaked = append(r.leaked, int(binary.LittleEndian.Uint32(rest)))
		rest = rest[4:]
	}
	if len(rest) > 0 {
		if err := json.Unmarshal(rest, &r.ending); err != nil {
			return 0, r, errWire
		}
	}
	return u(0), r, nil
}

// status turns a report into what the caller sees. now and clock are one
// instant, read as time.Time and as CLOCK_MONOTONIC.
func (r *report) status(now time.Time, clock int64) Status {
	s := Status{
		Code: r.wait.ExitStatus(), // -1 unless exited
		User: r.user, System: r.sys, MaxRSS: r.maxRSS,
		End:       now.Add(-time.Duration(clock - r.at)),
		TreeEmpty: r.empty, Leaked: r.leaked,
		Breach: r.ending.Breach, OOM: r.ending.OOM, Usage: r.ending.Usage, Isolation: r.ending.Parts,
	}
	if r.wait.Signaled() {
		s.Signal, s.Core = r.wait.Signal(), r.wait.CoreDump()
	}
	return s
}
