package journal

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Batch collects records for one Commit. The zero Batch is empty, and one that
// was Reset keeps its memory for the next.
//
// Row and outputs are copied, but for what AddContent is given.
type Batch struct {
	rows     []pending
	attempts []Attempt
	carries  []carried
	arena    []byte
	texts    int  // bytes of items and evidence
	fewer    bool // some of rows are withdrawn
}

type pending struct {
	Row
	result         span
	stdout, stderr span
	out, err       Content // in place of the spans
	ref            Ref
}

// span is a stretch of the arena.
type span struct{ from, to int }

func (b *Batch) keep(p []byte) span {
	from := len(b.arena)
	b.arena = append(b.arena, p...)
	return span{from, len(b.arena)}
}

func (b *Batch) bytes(s span) Bytes { return Bytes(b.arena[s.from:s.to:s.to]) }

// Add adds the record of an instance with what it wrote, and returns its place
// in the batch.
func (b *Batch) Add(row *Row, stdout, stderr []byte) int {
	p := b.add(row)
	p.stdout, p.stderr = b.keep(stdout), b.keep(stderr)
	return len(b.rows) - 1
}

// AddContent is Add for outputs that may be large. They are read by Commit, and
// must be valid until it returns; nil is an empty one.
func (b *Batch) AddContent(row *Row, stdout, stderr Content) int {
	p := b.add(row)
	p.out, p.err = stdout, stderr
	return len(b.rows) - 1
}

// TakeBack has the outputs of row i, which AddContent was given, read no more, and
// with row its record not made.
func (b *Batch) TakeBack(i int, row bool) {
	p := &b.rows[i]
	p.out, p.err = nil, nil
	if row {
		p.Flags |= withdrawn
		b.fewer = true
	}
}

// withdrawn marks a record that is not made.
const withdrawn = FirstFlag >> 1

func (b *Batch) add(row *Row) *pending {
	b.rows = append(b.rows, pending{Row: *row})
	p := &b.rows[len(b.rows)-1]
	p.Flags &^= FirstFlag - 1
	if len(p.Item) > MaxItem {
		p.Item, p.Flags = cut(p.Item, MaxItem), p.Flags|ItemCut
	}
	if len(p.Evidence) > MaxEvidence {
		p.Evidence, p.Flags = cut(p.Evidence, MaxEvidence), p.Flags|EvidenceCut
	}
	p.ResultBytes = 0
	if len(row.Result) > MaxResult {
		p.ResultBytes = int64(len(row.Result))
	} else {
		p.result = b.keep(row.Result)
	}
	p.Result = nil // the caller may use it again
	b.texts += len(p.Item) + len(p.Evidence)
	return p
}

// cut shortens s to at most n bytes, at the start of a character when it is text,
// and lets the rest of a long one go.
func cut(s string, n int) string {
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			if utf8.ValidString(s[:i]) {
				n = i
			}
			break
		}
	}
	return strings.Clone(s[:n])
}

// AddAttempt adds the record of an attempt after which another one follows.
func (b *Batch) AddAttempt(a *Attempt) {
	b.attempts = append(b.attempts, *a)
	p := &b.attempts[len(b.attempts)-1]
	if len(p.Evidence) > MaxEvidence {
		p.Evidence = cut(p.Evidence, MaxEvidence)
	}
	b.texts += len(p.Evidence)
}

// Carry takes over the record that a claim stands for, as that of an instance of
// this run. It is copied by Commit, and its outputs are linked.
func (b *Batch) Carry(claim Claim, job int, index int64) {
	b.carries = append(b.carries, carried{claim, job, index})
}

// Len is the number of final records.
func (b *Batch) Len() int { return len(b.rows) + len(b.carries) }

// What a record takes in memory beside its texts, about, in bytes.
const (
	rowBytes     = 480
	attemptBytes = 176
	carryBytes   = 48
)

// Bytes is about the memory that the batch keeps, but for what AddContent was
// given.
func (b *Batch) Bytes() int {
	return len(b.arena) + b.texts + rowBytes*len(b.rows) + attemptBytes*len(b.attempts) + carryBytes*len(b.carries)
}

// Ref tells where the outputs of row i are, once Commit has returned nil.
func (b *Batch) Ref(i int) Ref { return b.rows[i].ref }

// maxArena bounds what a batch keeps for the next one.
const maxArena = 4 << 20

// Reset empties the batch.
func (b *Batch) Reset() {
	clear(b.rows) // what rows refer to may go
	clear(b.attempts)
	b.rows, b.attempts, b.carries, b.arena = b.rows[:0], b.attempts[:0], b.carries[:0], b.arena[:0]
	b.texts, b.fewer = 0, false
	if cap(b.arena) > maxArena {
		b.arena = nil
	}
}

// The groups of columns that most rows have not. A statement for each
// combination spares SQLite, and the way to it, as many NULLs.
const (
	groupFailure = 1 << iota
	groupMeasure
	groupOutput
	groupItem
	groupResult
	groupCount = iota
)

// columnGroups are the columns of a row in the order in which they are bound:
// what every row has, then those of the groups.
var columnGroups = [groupCount + 1]string{
	"job,idx,key,outcome,exit_code,attempt,slot,worker,pid,start_us,wall_us",
	"which,limit_value,observed,enforced_by,signal,evidence,flags,items,result_bytes",
	"cpu_us,peak_bytes,peak_source",
	"segment,offset,stdout_bytes,stderr_bytes",
	"item",
	"result",
}

// groups tells which groups a row needs.
func (p *pending) groups() int {
	g := 0
	if p.Which != "" || p.Signal != 0 || p.Evidence != "" || p.Flags != 0 || p.Items != 0 || p.ResultBytes != 0 {
		g |= groupFailure
	}
	if p.CPU != 0 || p.Peak != 0 {
		g |= groupMeasure
	}
	if p.ref.Len() != 0 {
		g |= groupOutput
	}
	if p.Item != "" {
		g |= groupItem
	}
	if p.result.to != p.result.from {
		g |= groupResult
	}
	return g
}

// bindRow binds the columns of the groups. begin is the run's.
func bindRow(s *prepared, b *Batch, p *pending, groups int, begin time.Time) {
	s.bind(int64(p.Job))
	s.bind(orNull(p.Index, -1))
	s.bind(p.Key[:])
	s.bind(p.Outcome)
	s.bind(orNull(int64(p.ExitCode), -1))
	s.bind(orNull(int64(p.Attempt), 0))
	s.bind(orNull(int64(p.Slot), 0))
	s.bind(textOrNull(p.Worker))
	s.bind(orNull(int64(p.PID), 0))
	bindTime(s, p.Start, p.Wall, begin)
	if groups&groupFailure != 0 {
		s.bind(textOrNull(p.Which))
		s.bind(orNull(p.Limit, 0))
		s.bind(orNull(p.Observed, 0))
		s.bind(textOrNull(p.EnforcedBy))
		s.bind(orNull(int64(p.Signal), 0))
		s.bind(textOrNull(p.Evidence))
		s.bind(int64(p.Flags))
		s.bind(orNull(p.Items, 0))
		s.bind(orNull(p.ResultBytes, 0))
	}
	if groups&groupMeasure != 0 {
		s.bind(orNull(p.CPU.Microseconds(), 0))
		s.bind(orNull(p.Peak, 0))
		s.bind(textOrNull(p.PeakSource))
	}
	if groups&groupOutput != 0 {
		s.bind(orNull(int64(p.ref.Segment), 0))
		if p.ref.Segment == 0 {
			s.bind(nil)
		} else {
			s.bind(p.ref.Offset)
		}
		s.bind(p.ref.Stdout)
		s.bind(p.ref.Stderr)
	}
	if groups&groupItem != 0 {
		s.bind(textOrNull(p.Item))
	}
	if groups&groupResult != 0 {
		if p.result.to == p.result.from {
			s.bind(nil)
		} else {
			s.bind([]byte(b.bytes(p.result)))
		}
	}
}

func bindTime(s *prepared, start time.Time, wall time.Duration, begin time.Time) {
	if start.IsZero() {
		s.bind(nil)
		s.bind(nil)
		return
	}
	s.bind(start.Round(0).Sub(begin).Microseconds())
	s.bind(wall.Microseconds())
}

func orNull(n, absent int64) any {
	if n == absent {
		return nil
	}
	return n
}

// textOrNull gives what is no text to SQLite as a blob. So is text with a NUL,
// at which SQLite's own functions end.
func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return []byte(s)
	}
	return s
}

// micros gives a time as microseconds since 1970, and NULL for none.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// duration gives microseconds of a file as a duration that does not overflow.
func duration(us int64) time.Duration {
	const most = math.MaxInt64 / int64(time.Microsecond)
	return time.Duration(min(max(us, -most), most)) * time.Microsecond
}
