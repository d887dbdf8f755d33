package report

import (
	"io"
	"time"

	"github.com/feac4032/multiproc/config"
)

// Row is how an instance ended, as all sinks see it. What was not measured, or does
// not apply, has the value that its field names.
type Row struct {
	Job   string // id
	Index int64  // from 0; −1: the job as one, whose instances are not known
	// Label names the instance: JOB#INDEX, or JOB alone where it is the only one
	// of its job.
	Label string

	Item    config.Value
	HasItem bool           // the job has a foreach, and its item could be read
	Items   []config.Value // of a chunk, else nil; then HasItem is false
	Matrix  []config.Field // nil without one

	Outcome         string
	Which           string // refines the outcome; "" = nothing does
	Limit, Observed int64  // what was exceeded and by what: bytes, numbers, or nanoseconds of CPU time; 0 = not known
	EnforcedBy      string // who held the limit; "" = not known
	ExitCode        int    // −1 = none
	Signal          int    // 0 = none
	SignalName      string

	Attempts int    // 0 = it was never tried
	Slot     int    // of the last attempt, from 1; 0 = none
	Worker   string // "" = a command, or none
	PID      int    // 0 = none

	// Start is when the last attempt began, so that Start+Wall is its end. The zero
	// time is of an instance that this run did not try.
	Start time.Time
	Wall  time.Duration
	CPU   time.Duration // 0 = not known
	Peak  int64         // resident bytes; 0 = not known
	// PeakSource is how that was measured; "" = it was not.
	PeakSource string

	Evidence string // what the outcome was concluded from, with the stack of a panic
	Result   []byte // a task's, as msgpack; nil = none
	// Stdout and Stderr are what the last attempt wrote, nil where it is not at hand.
	Stdout, Stderr Output

	Resumed   bool   // an earlier run did it
	Reproduce string // a command line that runs the instance again; "" = none
}

// Output is one of the streams of an attempt.
type Output interface {
	Len() int64 // bytes
	WriteTo(w io.Writer) (int64, error)
	Tail(limit int) []byte // up to limit of the last bytes
}

// tail gives the last bytes of an output that may be nil.
func tail(o Output, limit int) []byte {
	if o == nil {
		return nil
	}
	return o.Tail(limit)
}

// single reports that the instance is the only one of its job.
func (r *Row) single() bool { return r.Label == r.Job }

// tried reports that there was an attempt at the instance in this run.
func (r *Row) tried() bool { return r.Attempts > 0 && !r.Start.IsZero() }

// Outcomes that sinks treat apart from others.
const (
	outcomeOK        = "ok"
	outcomeCancelled = "cancelled"
	outcomeSkipped   = "skipped"
)

// consequence reports that something else, which has a row of its own or is told
// by the summary, kept the instance from its end.
func (r *Row) consequence() bool {
	return r.Outcome == outcomeSkipped || r.Outcome == outcomeCancelled
}

// fault reports an end that the instance did not come to by a word of its own.
func (r *Row) fault() bool {
	switch r.Outcome {
	case "crashed", "poisoned", "protocol", "internal":
		return true
	}
	return false
}
