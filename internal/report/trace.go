package report

import (
	"os"
	"strconv"
	"time"

	"github.com/feac4032/multiproc/internal/text"
)

// Trace writes the attempts of a run in the trace event format, which Perfetto and
// chrome://tracing show: a lane for each slot, and more than one where attempts
// share it. Each event is written at once as a line; the file is an array, of which
// readers forgive the missing end when the run was killed.
type Trace struct {
	place place
	file  *os.File
	begin time.Time
	lanes map[int][]time.Time // by slot: when the last attempt in each of its lanes ended
	buf   []byte
	err   error
}

const (
	// lanesPerSlot bounds the lanes of a slot; further attempts lie over others.
	lanesPerSlot = 64
	// maxTraceText bounds an item or an evidence, in bytes.
	maxTraceText = 1 << 10
)

// OpenTrace begins a trace of a run of that name, which began at begin: times in
// the trace count from there. A file at path is cut off. It blocks while path is a
// pipe that nobody reads.
func OpenTrace(path, name string, begin time.Time) (*Trace, error) {
	p, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	f, err := p.stream()
	if err != nil {
		return nil, err
	}
	t := &Trace{place: p, file: f, begin: begin, lanes: map[int][]time.Time{}}
	t.buf = append(t.buf, "[\n"...)
	t.meta("process_name", 0, name)
	if err := t.flush(); err != nil {
		t.Close(nil)
		return nil, err
	}
	return t, nil
}

// Add writes the last attempt of an instance, nothing for one that was not tried
// in this run.
func (t *Trace) Add(r *Row) error { return t.Attempt(r) }

// Attempt writes an attempt that is followed by another. r says of it what it says
// of the last one otherwise; Attempts is its number.
func (t *Trace) Attempt(r *Row) error {
	if t.err != nil {
		return t.err
	}
	if !r.tried() {
		return nil
	}
	o := t.event(r.Label, "X", t.lane(r.Slot, r.Start, r.Start.Add(r.Wall)), r.Start)
	o.Text("cat", r.Outcome)
	o.Name("dur")
	o.B = appendMicros(o.B, r.Wall)
	o.Some("cname", colourName(r))
	o.Name("args")
	args := (&text.Object{B: o.B}).Open()
	args.Text("outcome", r.end())
	args.Int("attempt", int64(r.Attempts))
	args.Some("item", r.what(maxTraceText))
	args.Some("worker", r.Worker)
	if r.PID > 0 {
		args.Int("pid", int64(r.PID))
	}
	if r.ExitCode >= 0 {
		args.Int("exit_code", int64(r.ExitCode))
	}
	args.Some("signal", r.SignalName)
	if r.CPU > 0 {
		args.Seconds("cpu_s", r.CPU)
	}
	if r.Peak > 0 {
		args.Int("peak_bytes", r.Peak)
		args.Some("peak_source", r.PeakSource)
	}
	if r.Outcome != outcomeOK {
		args.Some("evidence", text.Plain(r.Evidence, maxTraceText))
	}
	o.B = args.Close()
	return t.write(o)
}

// colourName gives a colour of the format's own to what did not go well.
func colourName(r *Row) string {
	switch {
	case r.Outcome == outcomeOK:
		return ""
	case r.consequence():
		return "grey"
	case r.fault():
		return "terrible"
	}
	return "bad"
}

// Death is the end of a worker that nobody asked for.
type Death struct {
	Time     time.Time
	Slot     int // 0 = not known
	Worker   string
	PID      int
	Evidence string
	Under    string // the label of the instance that it ended under; "" = none
}

// Died writes a worker's death as an instant.
func (t *Trace) Died(d *Death) error {
	if t.err != nil {
		return t.err
	}
	tid, scope := 0, "p"
	if d.Slot > 0 {
		tid, scope = t.first(d.Slot), "t"
	}
	o := t.event(d.Worker+" died", "i", tid, d.Time)
	o.Text("s", scope)
	o.Name("args")
	args := (&text.Object{B: o.B}).Open()
	if d.PID > 0 {
		args.Int("pid", int64(d.PID))
	}
	args.Some("evidence", text.Plain(d.Evidence, maxTraceText))
	args.Some("under", d.Under)
	o.B = args.Close()
	return t.write(o)
}

// Close ends the array and closes the file.
func (t *Trace) Close(*Summary) error {
	if t.file == nil {
		return nil
	}
	if t.err == nil {
		t.buf = append(t.buf[:0], "\n]\n"...)
		t.flush()
	}
	f, err := t.file, t.err
	t.file, t.err = nil, ErrClosed
	if !standard(f) {
		if cerr := f.Close(); err == nil {
			err = t.place.fault(cerr)
		}
	}
	return err
}

// event begins an event behind what waits in the buffer.
func (t *Trace) event(name, phase string, tid int, at time.Time) *text.Object {
	o := &text.Object{B: append(t.buf, ",\n"...)}
	o.Open()
	o.Text("name", name)
	o.Text("ph", phase)
	o.Int("pid", 1)
	o.Int("tid", int64(tid))
	o.Name("ts")
	o.B = appendMicros(o.B, at.Sub(t.begin))
	return o
}

func (t *Trace) write(o *text.Object) error {
	t.buf = o.Close()
	return t.flush()
}

// meta puts an event that names the process or a lane into the buffer.
func (t *Trace) meta(what string, tid int, name string) {
	b := t.buf
	if len(b) != len("[\n") || b[0] != '[' {
		b = append(b, ",\n"...)
	}
	o := (&text.Object{B: b}).Open()
	o.Text("name", what)
	o.Text("ph", "M")
	o.Int("pid", 1)
	o.Int("tid", int64(tid))
	o.Name("args")
	args := (&text.Object{B: o.B}).Open()
	args.Text("name", name)
	o.B = args.Close()
	t.buf = o.Close()
}

// flush writes the buffer, which holds whole events.
func (t *Trace) flush() error {
	_, err := t.file.Write(t.buf)
	t.buf = t.buf[:0]
	t.err = t.place.fault(err)
	return t.err
}

// first gives the first lane of a slot, which is named when it is new.
func (t *Trace) first(slot int) int {
	if t.lanes[slot] == nil {
		t.open(slot)
	}
	return slot * lanesPerSlot
}

// lane gives a lane of a slot that is free from start on: events that overlap in
// part have no place in one.
func (t *Trace) lane(slot int, start, end time.Time) int {
	tid := t.first(slot)
	lanes := t.lanes[slot]
	for i := range lanes {
		if !lanes[i].After(start) {
			lanes[i] = end
			return tid + i
		}
	}
	i := len(lanes)
	if i == lanesPerSlot {
		i--
	} else {
		t.open(slot)
	}
	t.lanes[slot][i] = end
	return tid + i
}

// open makes another lane of a slot.
func (t *Trace) open(slot int) {
	n := len(t.lanes[slot])
	t.lanes[slot] = append(t.lanes[slot], time.Time{})
	name := "slot " + strconv.Itoa(slot)
	if n > 0 {
		name += " (" + strconv.Itoa(n+1) + ")"
	}
	t.meta("thread_name", slot*lanesPerSlot+n, name)
}

// appendMicros appends a duration in microseconds, to the nanosecond.
func appendMicros(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d)/1e3, 'f', 3, 64)
}
