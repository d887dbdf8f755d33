package batch

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/feac4032/multiproc/internal/report"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/pool"
)

// Bounds of what is kept about instances that are not ok.
const (
	maxFailures     = 1000
	maxItemKept     = 4 << 10
	maxTailKept     = 2 << 10
	maxEvidence     = 16 << 10
	maxNotes        = 20 // failures that get a line of their own on the terminal
	maxConsequences = 10 // and instances that were skipped or cancelled
	tailLines       = 5
	maxTailLine     = 200
	maxItemShown    = 80
)

// failures keeps what the report says about instances that were not ok. Those
// that were skipped or cancelled are a consequence of something else: they come
// behind the others, and one of them is first only where there are no others.
type failures struct {
	causes, consequences []json.RawMessage
	first                json.RawMessage
	firstNote            string // the first failure for people
	firstIsCause         bool
	total                int64
}

// consequence reports whether an instance was kept from its end by something
// else, which is said elsewhere.
func consequence(res *pool.Result) bool {
	return res.Outcome == skipped || res.Outcome == pool.Cancelled
}

func (f *failures) add(in *Instance, job string, res *pool.Result) {
	f.total++
	cause := !consequence(res)
	list := &f.causes
	if !cause {
		list = &f.consequences
	}
	first := f.first == nil || cause && !f.firstIsCause
	if len(*list) >= maxFailures && !first {
		return
	}
	row := failureRow(in, job, res)
	if first {
		f.first, f.firstNote, f.firstIsCause = row, failureNote(in, job, res, true), cause
	}
	if len(*list) < maxFailures {
		*list = append(*list, row)
	}
}

// rows gives what the report lists, and how many there are beside it.
func (f *failures) rows() ([]json.RawMessage, int64) {
	rows := f.causes
	rows = append(rows[:len(rows):len(rows)], f.consequences[:min(len(f.consequences), maxFailures-len(rows))]...)
	return rows, f.total - int64(len(rows))
}

// failureRow makes the report's object. in is nil for a job that was skipped, or
// failed, before it was known which instances it has.
func failureRow(in *Instance, job string, res *pool.Result) json.RawMessage {
	o := new(object)
	o.Open()
	o.Text("job", job)
	if in != nil {
		o.Int("index", in.Index)
		if in.Job.Foreach != nil && !in.bad {
			o.Item(in.argument(), maxItemKept)
		}
	}
	o.ending(res)
	o.Some("evidence", text.Cut(evidenceOf(res), maxEvidence))
	if res.Attempt > 0 {
		o.Int("attempts", int64(res.Attempt))
	}
	o.Some("worker", res.Worker)
	if res.PID > 0 {
		o.Seconds("wall_s", res.Wall)
	}
	o.usage(res)
	o.Some("stderr_tail", string(res.Stderr.Tail(maxTailKept)))
	return o.Close()
}

// evidenceOf gives what the outcome was concluded from, with the stack of a
// panic.
func evidenceOf(res *pool.Result) string {
	s := res.Evidence
	if f := res.Failure; f != nil && f.Stack != "" {
		s += "\n" + f.Stack
	}
	return s
}

// failureNote describes a failure for people: which instance, how, why, and with
// tail the last lines of its stderr.
func failureNote(in *Instance, job string, res *pool.Result, tail bool) string {
	var b strings.Builder
	if in == nil {
		b.WriteString(job)
	} else {
		b.WriteString(in.Label())
		if in.Job.Foreach != nil && !in.bad {
			fmt.Fprintf(&b, " (%s)", in.given())
		}
		for i, f := range in.Matrix {
			fmt.Fprintf(&b, "%s%s=%s", [...]string{" [", " "}[min(i, 1)], f.Name, text.Plain(f.Value.Text(), maxItemShown))
		}
		if len(in.Matrix) > 0 {
			b.WriteByte(']')
		}
	}
	b.WriteString(": ")
	b.WriteString(howEnded(res))
	if res.Attempt > 1 {
		fmt.Fprintf(&b, ", attempt %d", res.Attempt)
	}
	if tail {
		for _, line := range text.LastLines(res.Stderr.Tail(maxTailKept), tailLines) {
			b.WriteString("\n    | ")
			b.WriteString(text.Plain(line, maxTailLine))
		}
	}
	return b.String()
}

// howEnded gives the outcome, what refines it and its cause.
func howEnded(res *pool.Result) string {
	s := text.Plain(string(res.Outcome), maxItemShown)
	switch {
	case res.Limit > 0:
		s += ": " + exceeded(res)
	case res.Which != "":
		s += " (" + text.Plain(res.Which, maxItemShown) + ")"
	}
	if c := causeOf(res); c != "" {
		s += ": " + c
	}
	return s
}

// exceeded says which limit it was and what was seen, such as "memory 128 MiB, seen
// 131 MiB (cgroup v2)".
func exceeded(res *pool.Result) string {
	s := text.Plain(res.Which, maxItemShown) + " " + report.Quantity(res.Which, res.Limit)
	if res.Observed > res.Limit {
		s += ", seen " + report.Quantity(res.Which, res.Observed)
	}
	if res.EnforcedBy != "" {
		s += " (" + text.Plain(res.EnforcedBy, maxItemShown) + ")"
	}
	return s
}

// causeOf gives the evidence, and the code or signal unless it names them.
func causeOf(res *pool.Result) string {
	s := text.Plain(text.FirstLine(res.Evidence), 500)
	code := ""
	switch {
	case res.Signal > 0:
		code = signalName(res.Signal)
		if code == "" {
			code = fmt.Sprintf("signal %d", res.Signal)
		}
		if res.Core && !strings.Contains(s, "core") {
			code += ", core dumped"
		}
	case res.ExitCode > 0 && res.PID > 0:
		code = fmt.Sprintf("exit code %d", res.ExitCode)
	}
	switch {
	case s == "":
		return code
	case code == "" || strings.Contains(s, code) || strings.Contains(s, fmt.Sprintf("code %d", res.ExitCode)):
		return s
	}
	return s + " (" + code + ")"
}
