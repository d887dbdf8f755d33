package batch

import (
	"fmt"
	"io"
	"strconv"

	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// Recorded is the record of an instance in a journal, for those who tell of it as
// the run itself did.
type Recorded struct {
	*journal.Row
	Job  string // its id
	Task bool   // the job is a task
}

// Label names the instance: JOB#INDEX, or JOB alone where it is the only one of its
// job, or stands for all of them.
func (r *Recorded) Label() string {
	if r.Index < 0 || r.Flags&flagSingle != 0 {
		return r.Job
	}
	return r.Job + "#" + strconv.FormatInt(r.Index, 10)
}

func (r *Recorded) result() *pool.Result {
	return &pool.Result{
		Outcome: pool.Outcome(r.Outcome), Which: r.Which, Evidence: r.Evidence,
		ExitCode: r.ExitCode, Signal: r.Signal, Attempt: r.Attempt, Worker: r.Worker, PID: r.PID,
		Limit: r.Limit, Observed: r.Observed, EnforcedBy: r.EnforcedBy,
		Wall: r.Wall, CPU: r.CPU, Peak: r.Peak, PeakSource: r.PeakSource, Value: r.Result,
	}
}

// Harmless reports whether the instance is ok, or is not so as its file wants it.
func (r *Recorded) Harmless() bool { return harmless(r.result()) }

// Consequence reports whether something else kept the instance from its end.
func (r *Recorded) Consequence() bool { return consequence(r.result()) }

// Ending says in a line how the instance ended, such as "failed: exit code 1".
func (r *Recorded) Ending() string { return howEnded(r.result()) }

// Note says in a line for people which instance it is and how it ended.
func (r *Recorded) Note() string {
	s := r.Label()
	switch {
	case r.Items > 0:
		s += fmt.Sprintf(" (%s %s)", text.Number(r.Items), text.Plural(r.Items, "item", "items"))
	case r.Item != "":
		s += " (" + text.Plain(r.Item, maxItemShown) + ")"
	}
	s += ": " + r.Ending()
	if r.Attempt > 1 {
		s += fmt.Sprintf(", attempt %d", r.Attempt)
	}
	return s
}

// AttemptEnding is Ending for an attempt that was followed by another one.
func AttemptEnding(a *journal.Attempt) string {
	return howEnded(&pool.Result{
		Outcome: pool.Outcome(a.Outcome), Which: a.Which, Evidence: a.Evidence,
		Limit: a.Limit, Observed: a.Observed, EnforcedBy: a.EnforcedBy,
		ExitCode: a.ExitCode, Signal: a.Signal, PID: a.PID,
	})
}

// Object gives the record as JSON, with the names that events and reports have, and
// with tail as the last of its stderr. Items are texts: a journal keeps no types.
func (r *Recorded) Object(tail []byte) []byte {
	res := r.result()
	o := new(object)
	o.Open()
	o.Text("job", r.Job)
	if r.Index >= 0 {
		o.Int("index", r.Index)
	}
	o.Some("item", r.Item)
	count := func(name string, n int64) {
		if n > 0 {
			o.Int(name, n)
		}
	}
	count("item_count", r.Items)
	o.ending(res)
	count("attempts", int64(r.Attempt))
	count("slot", int64(r.Slot))
	o.Some("worker", r.Worker)
	count("pid", int64(r.PID))
	if !r.Start.IsZero() {
		o.Time("start", r.Start)
		o.Seconds("wall_s", r.Wall)
	}
	o.usage(res)
	if res.Outcome != pool.OK {
		o.Some("evidence", r.Evidence)
	}
	o.value(r.Result)
	count("result_bytes", r.ResultBytes)
	o.Int("stdout_bytes", r.Output.Stdout)
	o.Int("stderr_bytes", r.Output.Stderr)
	o.Some("stderr_tail", string(tail))
	o.Some("resumed_from", r.OriginRun)
	return o.Close()
}

// ResultLine gives what the run printed behind stdout, the result of a task; nil
// where there is none. stdout may be nil.
func (r *Recorded) ResultLine(stdout *io.SectionReader) []byte {
	res := r.result()
	if !r.Task || r.Flags&flagPlaced != 0 || res.Outcome != pool.OK || isNil(res.Value) {
		return nil
	}
	var last [1]byte
	open := false
	if stdout != nil && stdout.Size() > 0 {
		_, err := stdout.ReadAt(last[:], stdout.Size()-1)
		open = err == nil && last[0] != '\n'
	}
	return appendValue(nil, res.Value, open)
}

// ResultText gives a task's result for people, "" for none.
func (r *Recorded) ResultText() string {
	if len(r.Result) == 0 {
		return ""
	}
	b, err := task.AppendJSON(nil, r.Result)
	if err != nil {
		return fmt.Sprintf("%d bytes that cannot be shown: %v", len(r.Result), err)
	}
	return string(b)
}

// WriteTagged writes an output with a tag and a tab in front of each line, of which
// the last one is ended.
func WriteTagged(w io.Writer, tag string, output io.Reader) error {
	t := &tagger{w: w, tag: tag}
	if _, err := io.Copy(t, output); err != nil {
		return err
	}
	return t.end()
}
