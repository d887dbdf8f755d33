package journal

import (
	"database/sql/driver"
	"strconv"
	"time"
)

// Bounds of what a row keeps, in bytes. A longer item or evidence is cut and
// marked; a larger result is left out, and its size kept.
const (
	MaxItem     = 4 << 10
	MaxEvidence = 64 << 10
	MaxResult   = 64 << 10
)

// Flags mark a row. The lower 16 bits are the journal's, the others are the
// caller's and are stored as they are.
type Flags uint32

const (
	// ItemCut says that Item is the first MaxItem bytes.
	ItemCut Flags = 1 << iota
	// EvidenceCut says that Evidence is the first MaxEvidence bytes.
	EvidenceCut
	// NotStored says that the outputs were not kept, as there was no room.
	NotStored

	// FirstFlag is the first bit that is the caller's.
	FirstFlag Flags = 1 << 16
)

// Row is the one final record of an instance. What was not measured is zero and
// stored as NULL.
type Row struct {
	Job   int   // the number of the job, its place in Info.Jobs
	Index int64 // −1 = the job as one
	Key   [16]byte

	Outcome  string
	Which    string
	ExitCode int // −1 = none
	Signal   int
	// Limit is what was allowed of Which, and Observed what was seen: bytes, numbers, or
	// nanoseconds of CPU time. EnforcedBy is who held it.
	Limit, Observed int64
	EnforcedBy      string

	Attempt int
	Slot    int
	Worker  string
	PID     int

	Start time.Time     // to the microsecond; zero = it has not been started
	Wall  time.Duration // to the microsecond, as CPU is; stored if Start is
	CPU   time.Duration
	Peak  int64 // bytes
	// PeakSource is how Peak was measured.
	PeakSource string

	Items    int64  // of a chunk, 0 = it is none
	Item     string // any bytes; cut to MaxItem
	Evidence string // cut to MaxEvidence
	Result   []byte // msgpack, up to MaxResult
	// ResultBytes is the length of a result that was left out. Add sets it.
	ResultBytes int64
	Flags       Flags

	// What follows is set by the journal, and ignored by Add.

	// Row counts the records of a run from 1, in the order of their commits.
	Row int64
	// Output is where the outputs are, and how long they were.
	Output Ref
	// Resumed says that the record was carried over, from OriginRow of OriginRun.
	Resumed   bool
	OriginRun string
	OriginRow int64
}

// Attempt is the record of a try after which another one followed.
type Attempt struct {
	Job     int
	Index   int64
	Attempt int

	Outcome         string
	Which           string
	ExitCode        int // −1 = none
	Signal          int
	Limit, Observed int64 // as those of a Row
	EnforcedBy      string
	Worker          string
	PID             int
	Start           time.Time
	Wall            time.Duration
	Evidence        string // cut to MaxEvidence
}

// label names an instance as people do.
func label(job string, index int64) string {
	if index < 0 {
		return job
	}
	return job + "#" + strconv.FormatInt(index, 10)
}

// selectRow reads the columns that scan takes, of the instance i.
const selectRow = `SELECT i.row,i.job,i.idx,i.key,i.outcome,i.which,i.exit_code,i.signal,i.attempt,i.slot,i.worker,i.pid,
	i.start_us,i.wall_us,i.cpu_us,i.peak_bytes,i.items,i.flags,i.origin,i.origin_row,o.run,
	i.segment,i.offset,i.stdout_bytes,i.stderr_bytes,i.result_bytes,i.item,i.evidence,i.result,
	i.limit_value,i.observed,i.enforced_by,i.peak_source
	FROM instance i LEFT JOIN origin o ON o.number = i.origin`

const rowColumns = 33

// scan takes a row over from a file, in which anything may stand. begin is the
// run's, in microseconds since 1970.
func (r *Row) scan(v []driver.Value, begin int64) {
	*r = Row{
		Row: number(v[0]), Job: int(number(v[1])), Index: numberOr(v[2], -1),
		Outcome: text(v[4]), Which: text(v[5]), ExitCode: int(numberOr(v[6], -1)), Signal: int(number(v[7])),
		Attempt: int(number(v[8])), Slot: int(number(v[9])), Worker: text(v[10]), PID: int(number(v[11])),
		Wall: duration(number(v[13])), CPU: duration(number(v[14])), Peak: number(v[15]),
		Items: number(v[16]), Flags: Flags(number(v[17])),
		Resumed: v[18] != nil, OriginRow: number(v[19]), OriginRun: text(v[20]),
		ResultBytes: number(v[25]), Item: text(v[26]), Evidence: text(v[27]),
		Limit: number(v[29]), Observed: number(v[30]), EnforcedBy: text(v[31]), PeakSource: text(v[32]),
	}
	if key, ok := v[3].([]byte); ok && len(key) == len(r.Key) {
		copy(r.Key[:], key)
	}
	if start, ok := v[12].(int64); ok {
		r.Start = time.UnixMicro(begin + start)
	}
	r.Output = Ref{Offset: max(0, number(v[22])), Stdout: max(0, number(v[23])), Stderr: max(0, number(v[24]))}
	if n := number(v[21]); n > 0 && n <= maxSegment {
		r.Output.Segment = int32(n)
	}
	if b, ok := v[28].([]byte); ok {
		r.Result = b
	}
}

const attemptColumns = 15

func (a *Attempt) scan(v []driver.Value, begin int64) {
	*a = Attempt{
		Job: int(number(v[0])), Index: number(v[1]), Attempt: int(number(v[2])),
		Outcome: text(v[3]), Which: text(v[4]), ExitCode: int(numberOr(v[5], -1)), Signal: int(number(v[6])),
		Worker: text(v[7]), PID: int(number(v[8])), Wall: duration(number(v[10])), Evidence: text(v[11]),
		Limit: number(v[12]), Observed: number(v[13]), EnforcedBy: text(v[14]),
	}
	if start, ok := v[9].(int64); ok {
		a.Start = time.UnixMicro(begin + start)
	}
}

// number gives an integer column, or 0: NULL and what else a file may hold.
func number(v driver.Value) int64 { return numberOr(v, 0) }

func numberOr(v driver.Value, absent int64) int64 {
	if n, ok := v.(int64); ok {
		return n
	}
	return absent
}

// text gives a text, or bytes that are none.
func text(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}
