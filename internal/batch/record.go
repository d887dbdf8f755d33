package batch

import (
	"fmt"
	"sync"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/report"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// record makes the one final record of an instance: it is counted, committed,
// printed, and then told as an event. in is nil for a job whose instances are not
// known.
func (r *run) record(in *Instance, js *jobState, res *pool.Result) {
	res, done := r.hidden(res)
	defer done()
	r.pass(in, js, res)
	r.count(in, js, res)
	if r.cfg.OutputDir != nil && in != nil {
		r.keepOutput(in, res)
	}
	e := entries.Get().(*entry)
	r.compose(e, in, js, res)
	r.led.commit(e)
	*e = entry{line: e.line[:0]}
	entries.Put(e)
}

var entries = sync.Pool{New: func() any { return new(entry) }}

// count adds an instance to the figures, and halts the run if the policy says so.
func (r *run) count(in *Instance, js *jobState, res *pool.Result) {
	r.mu.Lock()
	if in != nil {
		r.settled(in)
		if res.Outcome == pool.Cancelled && in.waiting != "" {
			res.Evidence = "halted before another attempt; the last one: " + in.waiting
		}
	}
	r.tally.add(res.Outcome, 1)
	if res.PID > 0 {
		r.meter.Observe(res.Wall)
	}
	r.leaked(res)
	js.ran = js.ran || in != nil && res.Outcome != skipped
	js.learn(in, res)
	if !harmless(res) {
		js.notOK++
		r.countBad(js, 1)
		r.fails.add(in.face(), js.plan.job.ID, res)
		if res.Outcome == pool.Internal {
			r.end.internal = true
		}
		if res.Which == pool.WhichConfine {
			r.end.unfit = true
		}
	}
	halt := r.cfg.Halt
	// What was interrupted by one halt does not bring about another.
	reached := !halt.Never() && r.level.Load() == running &&
		halt.Reached(r.tally.count(pool.OK), r.tally.finished())
	r.mu.Unlock()
	if reached {
		level := finishing
		if halt.Now {
			level = interrupting
		}
		r.stop(level, func() { r.end.halted, r.end.success = "halt "+halt.String()+" was reached", halt.Success })
	}
}

// countBad counts instances that make the run not ok. The caller holds mu.
func (r *run) countBad(js *jobState, n int64) {
	if !js.plan.job.AllowFailure {
		r.counts += n
	}
}

// leaked remembers processes that could not be ended. The caller holds mu.
func (r *run) leaked(res *pool.Result) {
	if len(res.Leaked) > 0 {
		r.leaks = append(r.leaks, res.Leaked...)
	}
}

// noWorker ends an instance for which no worker could be started: the first one
// is skipped and halts the run, the others were never started. It reports false
// for one that had an attempt before, or of whose start was told though its worker
// has given it back.
func (r *run) noWorker(in *Instance, res *pool.Result) bool {
	r.stop(finishing, func() { r.end.halted = res.Evidence })
	r.mu.Lock()
	first, told := !r.noStart, in.active
	r.noStart = true
	r.mu.Unlock()
	switch {
	case res.Attempt > 1:
		res.Outcome, res.Which = pool.Cancelled, ""
	case first:
		res.Outcome, res.Which = skipped, ""
	case told:
		res.Outcome, res.Which = pool.Cancelled, ""
	default:
		r.Dropped(in)
		return true
	}
	return false
}

// compose puts together what the end of an instance has to show.
func (r *run) compose(e *entry, in *Instance, js *jobState, res *pool.Result) {
	e.in = in
	if in != nil && in.Job.Stdout == nil {
		e.stdout, e.stderr = &res.Stdout, &res.Stderr
		e.quiet = !r.shows || r.flowEnds(in, cutOff(res))
		if r.shows && hasResult(in, res) {
			e.line = appendResult(e.line, res)
		}
	} else if in != nil {
		e.stdout, e.stderr = &noOutput, &res.Stderr
		e.quiet = !r.shows
	}
	if !harmless(res) {
		e.note = r.note(in, js, res)
	}
	if r.led.journal != nil {
		e.record = r.row(in, js, res)
	}
	if len(r.cfg.Sinks) > 0 {
		e.row = r.reportRow(in, js, res)
	}
	if r.cfg.Events == nil {
		return
	}
	if in != nil {
		e.event = endEvent(in.face(), res)
		return
	}
	o := newEvent("job.end", time.Now())
	o.Text("job", js.plan.job.ID)
	o.result(res)
	e.event = o.end()
}

var noOutput pool.Output

// hasResult reports whether an instance has a result to show behind its output.
func hasResult(in *Instance, res *pool.Result) bool {
	return in.Job.Kind == config.Task && res.Outcome == pool.OK && !isNil(res.Value)
}

// keepOutput writes the output of an instance to a folder of its own.
func (r *run) keepOutput(in *Instance, res *pool.Result) {
	row := report.Row{Job: in.Job.ID, Index: in.Index, Label: in.Label(), Stdout: &res.Stdout, Stderr: &res.Stderr, Result: res.Value}
	r.dirMu.Lock()
	err := r.cfg.OutputDir.Add(&row)
	first := err != nil && !r.dirLost
	r.dirLost = err != nil
	r.dirMu.Unlock()
	if first {
		r.lost(toFiles, err)
	}
}

// appendResult appends the line of a task's result.
func appendResult(b []byte, res *pool.Result) []byte {
	tail := res.Stdout.Tail(1)
	return appendValue(b, res.Value, len(tail) == 1 && tail[0] != '\n')
}

// appendValue appends a value in a line: a text as it is, anything else as JSON.
// With open, what the task has printed has no end yet: they share no line.
func appendValue(b, value []byte, open bool) []byte {
	if open {
		b = append(b, '\n')
	}
	if s, ok := stringOf(value); ok {
		b = append(b, s...)
		return append(b, '\n')
	}
	from := len(b)
	out, err := task.AppendJSON(b, value)
	if err != nil {
		return append(b[:from], fmt.Sprintf("(result of %d bytes cannot be shown: %v)\n", len(value), err)...)
	}
	return append(out, '\n')
}

// note gives the line for people about an instance that is not ok, for the first
// of them only: thousands would bury the summary. What is but a consequence of
// something else takes no room from its cause. Without the outputs its last lines
// come with it.
func (r *run) note(in *Instance, js *jobState, res *pool.Result) []byte {
	if in != nil && in.Index > 0 && js.unmet != nil {
		return nil // the first one speaks for all
	}
	written, limit, what := &r.notes, maxNotes, "failures"
	if consequence(res) {
		written, limit, what = &r.consequences, maxConsequences, "jobs that did not run to their end"
	}
	r.mu.Lock()
	*written++
	n := *written
	r.mu.Unlock()
	switch {
	case n > limit+1:
		return nil
	case n == limit+1:
		return []byte("supervisor: further " + what + " are counted, and listed in the report\n")
	}
	if n, known := js.plan.known(); js.unmet != nil && known && n > 1 {
		return fmt.Appendf(nil, "supervisor: %s: %s instances skipped: %s\n", js.plan.job.ID, text.Number(n), res.Evidence)
	}
	line := "supervisor: " + failureNote(in.face(), js.plan.job.ID, res, !r.shows)
	if in != nil && !consequence(res) {
		if again := in.plan.reproduce(in); again != "" {
			line += "\n    to reproduce it: " + again
		}
	}
	return []byte(line + "\n")
}
