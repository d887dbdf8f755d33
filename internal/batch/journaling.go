package batch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/report"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/pool"
)

// Marks of the records of instances.
const (
	flagSingle = journal.FirstFlag << iota // it is the only one of its job
	flagPlaced                             // its stdout, with its result, went to a file
)

// row is the record of an instance for the journal.
func (r *run) row(in *Instance, js *jobState, res *pool.Result) *journal.Row {
	row := &journal.Row{
		Job: js.at, Index: -1, Outcome: string(res.Outcome), Which: res.Which,
		ExitCode: -1, Signal: res.Signal, Attempt: res.Attempt, Slot: res.Slot, Worker: res.Worker, PID: res.PID,
		Limit: res.Limit, Observed: res.Observed, EnforcedBy: res.EnforcedBy,
		Start: startOf(res), Wall: res.Wall, CPU: res.CPU, Peak: res.Peak, PeakSource: res.PeakSource,
		Evidence: evidenceOf(res), Result: res.Value,
	}
	if res.PID > 0 {
		row.ExitCode = res.ExitCode
	}
	if res.Outcome == pool.OK {
		row.Evidence = ""
	}
	if in == nil {
		return row
	}
	row.Index, row.Key = in.Index, in.plan.digest(in)
	if in.Label() == js.plan.job.ID {
		row.Flags |= flagSingle
	}
	if in.Job.Stdout != nil {
		row.Flags |= flagPlaced
	}
	switch {
	case in.Items != nil:
		row.Items = int64(len(in.Items))
	case in.hasItem():
		row.Item = in.face().Item.Text()
	}
	return row
}

// startOf is when an attempt began that has just ended. A task's may have waited in
// its worker since it was given away.
func startOf(res *pool.Result) time.Time {
	if res.PID == 0 || res.Worker == "" {
		return res.Start
	}
	return time.Now().Add(-res.Wall)
}

// attemptRow is the record of an attempt that is followed by another one.
func attemptRow(in *Instance, js *jobState, res *pool.Result) *journal.Attempt {
	a := &journal.Attempt{
		Job: js.at, Index: in.Index, Attempt: res.Attempt, Outcome: string(res.Outcome), Which: res.Which,
		ExitCode: -1, Signal: res.Signal, Worker: res.Worker, PID: res.PID,
		Limit: res.Limit, Observed: res.Observed, EnforcedBy: res.EnforcedBy,
		Start: startOf(res), Wall: res.Wall, Evidence: evidenceOf(res),
	}
	if res.PID > 0 {
		a.ExitCode = res.ExitCode
	}
	return a
}

// reportRow is the end of an instance for results and reports.
func (r *run) reportRow(in *Instance, js *jobState, res *pool.Result) *report.Row {
	row := &report.Row{
		Job: js.plan.job.ID, Index: -1, Label: js.plan.job.ID,
		Outcome: string(res.Outcome), Which: res.Which, ExitCode: -1,
		Signal: res.Signal, SignalName: signalName(res.Signal),
		Attempts: res.Attempt, Slot: res.Slot, Worker: res.Worker, PID: res.PID,
		Limit: res.Limit, Observed: res.Observed, EnforcedBy: res.EnforcedBy,
		Start: startOf(res), Wall: res.Wall, CPU: res.CPU, Peak: res.Peak, PeakSource: res.PeakSource,
		Evidence: evidenceOf(res), Result: slices.Clone(res.Value),
		Stdout: keptTail(res.Stdout.Tail(maxTailKept)), Stderr: keptTail(res.Stderr.Tail(maxTailKept)),
	}
	if res.PID > 0 {
		row.ExitCode = res.ExitCode
	}
	if in == nil {
		return row
	}
	row.Index, row.Label = in.Index, in.Label()
	face := in.face()
	row.Item, row.HasItem, row.Items, row.Matrix = face.Item, in.hasItem() && in.Items == nil, face.Items, face.Matrix
	if !harmless(res) {
		row.Reproduce = in.plan.reproduce(in)
	}
	return row
}

// keptTail is the end of an output, kept for a report.
type keptTail []byte

func (t keptTail) Len() int64 { return int64(len(t)) }

func (t keptTail) Tail(limit int) []byte { return t[max(0, len(t)-limit):] }

func (t keptTail) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(t)
	return int64(n), err
}

// unrecorded is told by the ledger that the journal cannot be written: what the
// run does from now on would be done again by the next one.
func (r *run) unrecorded(err error) {
	first := ""
	var lost *journal.LostError
	if errors.As(err, &lost) {
		err = lost.Err
		if lost.Label != "" {
			first = "; " + lost.Label + " is the first that is not recorded"
		}
	}
	r.led.say(fmt.Sprintf("supervisor: journal %s: %v%s; halting: -resume goes on when that is mended", r.cfg.Journal.Dir(), cause(err), first))
	r.stop(interrupting, func() { r.end.halted = "the journal cannot be written" })
	r.mu.Lock()
	r.end.lost = "journal"
	r.mu.Unlock()
}

// tellsEach reports whether somebody wants to know of every instance.
func (r *run) tellsEach() bool {
	return r.cfg.Events != nil || r.cfg.Journal != nil || len(r.cfg.Sinks) > 0
}

// carried reports that an earlier run has done an instance: then it is recorded as
// that one's.
func (r *run) carried(in *Instance) bool {
	past := r.cfg.Past
	if past == nil || r.cfg.Anew[in.Job.ID] || in.state.stale {
		return false
	}
	js := in.state
	if in.unplaced() {
		return false
	}
	claim, ok, err := past.Match(in.plan.digest(in), js.tap != nil)
	if err != nil {
		r.forget(err)
	}
	if !ok {
		return false
	}
	e := &entry{in: in, claim: &claim}
	if js.tap != nil || len(r.cfg.Sinks) > 0 {
		if err := r.recall(in, &claim, e); err != nil {
			level := hclog.Warn
			if errors.Is(err, errNotKept) {
				level = hclog.Debug // there may be many
			}
			r.log.Log(level, "an earlier run's record cannot be read; the instance runs again", "job", in.Label(), "error", err)
			return false
		}
	}
	in.passItems(js)
	r.mu.Lock()
	r.tally.resumed++
	r.tally.add(pool.OK, 1)
	r.mu.Unlock()
	r.led.commit(e)
	r.mu.Lock()
	r.leave(in)
	r.mu.Unlock()
	return true
}

// unplaced reports that the file is not there that an instance has written its
// output to, if it ever ran.
func (in *Instance) unplaced() bool {
	t := in.Job.Stdout
	if t == nil || t.Uses("slot") || t.Uses("attempt") {
		return false // who can tell where it is
	}
	s := in.plan.scope(in, 0, 0)
	path, err := t.Text(&s)
	if err != nil {
		return true
	}
	_, err = os.Stat(resolve(in.plan.root, path))
	return err != nil
}

// forget goes on without the record of an earlier run that cannot be read. The
// caller is the dispatcher.
func (r *run) forget(err error) {
	r.led.say("supervisor: " + text.Plain(err.Error(), 2000) + "; what follows is run again")
	r.cfg.Past = nil
}

// section is a stored output.
type section struct{ *io.SectionReader }

func (s section) Len() int64 { return s.Size() }

func (s section) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, s.SectionReader) }

// recall reads what an earlier run has recorded of an instance, for those who want
// to see it.
func (r *run) recall(in *Instance, claim *journal.Claim, e *entry) error {
	row, err := r.cfg.Past.Row(*claim)
	if err != nil {
		return err
	}
	if js := in.state; js.tap != nil {
		if row.ResultBytes > 0 {
			return errNotKept
		}
		out, _, err := r.cfg.Past.Output(*claim)
		if err != nil {
			return err
		}
		var line []byte
		res := &pool.Result{Outcome: pool.OK, Value: row.Result}
		if hasResult(in, res) {
			line = appendValue(nil, res.Value, false)
		}
		js.tap.put(section{out}, line)
	}
	if len(r.cfg.Sinks) > 0 {
		face := in.face()
		e.row = &report.Row{
			Job: in.Job.ID, Index: in.Index, Label: in.Label(), Outcome: row.Outcome, ExitCode: row.ExitCode,
			Attempts: row.Attempt, Wall: row.Wall, CPU: row.CPU, Peak: row.Peak, PeakSource: row.PeakSource, Result: row.Result,
			Item: face.Item, HasItem: in.hasItem() && in.Items == nil, Items: face.Items, Matrix: face.Matrix, Resumed: true,
		}
	}
	return nil
}
