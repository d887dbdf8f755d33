package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/text"
)

func showFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "failed", Usage: "list all instances that were not ok, each in a line", DisableDefaultText: true},
		&cli.BoolFlag{Name: "json", Usage: "print a line of JSON for each instance, with -failed for each that was not ok", DisableDefaultText: true},
		&cli.StringFlag{Name: "job", Usage: "only instances of the job `ID`, or the one ID#INDEX"},
		&cli.StringFlag{Name: "n", Usage: "list at most `N` instances; default: 10 failures, and else all"},
		stateFlag(),
	}
}

const showAbout = `Show what a run was and came to, and its first failures. RUN is its id, or the beginning of it, and the last run by default.
With JOB#INDEX show one instance: how it ended, its attempts, and the end of what it wrote.`

// Bounds of what is shown.
const (
	failuresShown = 10
	tailShown     = 4 << 10 // bytes of an output
	linesShown    = 20
	lineShown     = 400 // bytes
	evidenceShown = 16 << 10
)

// show shows a run, its failures, or one instance.
func (s *command) show(c *cli.Context) error {
	limit := 0
	if c.IsSet("n") {
		var err error
		if limit, err = strconv.Atoi(c.String("n")); err != nil || limit < 1 {
			return usagef("-n %s: want a number of instances, 1 or more", c.String("n"))
		}
	}
	sub, err := s.subject(c)
	if err != nil {
		return err
	}
	defer sub.close()
	v := &viewer{subject: sub, w: bufio.NewWriterSize(s.stdout, 64<<10), limit: limit}
	switch {
	case c.Bool("json"):
		err = v.objects(c.Bool("failed"))
	case c.Bool("failed"):
		err = v.failures()
	case sub.index != nil:
		err = v.instance()
	default:
		err = v.run()
	}
	if werr := v.w.Flush(); werr != nil {
		return s.written(werr)
	}
	var fault *writeError
	if errors.As(err, &fault) {
		return s.written(fault.err)
	}
	switch {
	case err != nil || !v.missing:
	case c.Bool("failed"):
		fmt.Fprintf(s.stderr, "supervisor: run %s has recorded no failure\n", sub.info.ID)
	default:
		fmt.Fprintln(s.stderr, "supervisor:", sub.none())
		if sub.index != nil {
			s.code = batch.ExitNotOK
		}
	}
	return s.unreadable(err)
}

// viewer prints what is recorded.
type viewer struct {
	*subject
	w       *bufio.Writer
	limit   int  // 0 = none
	missing bool // there was nothing to print
}

// writeError is one of the output, not of the record.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

func (v *viewer) line(s string) error {
	v.w.WriteString(s)
	if err := v.w.WriteByte('\n'); err != nil {
		return &writeError{err}
	}
	return nil
}

// errEnough ends a reading early.
var errEnough = errors.New("enough")

// each goes through the instances, those with failed that were not ok unless their
// file wants them so.
func (v *viewer) each(failed bool, limit int, fn func(*batch.Recorded) error) error {
	f := v.filter()
	f.Failed = failed
	n := 0
	err := v.view.Each(f, func(row *journal.Row) error {
		r := v.recorded(row)
		if failed && r.Harmless() {
			return nil
		}
		if n++; limit > 0 && n > limit {
			return errEnough
		}
		return fn(r)
	})
	v.missing = n == 0
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// objects prints JSON.
func (v *viewer) objects(failed bool) error {
	return v.each(failed, v.limit, func(r *batch.Recorded) error {
		return v.line(string(r.Object(v.tail(r, tailShown))))
	})
}

// tail gives the end of stderr, nil where it is not stored.
func (v *viewer) tail(r *batch.Recorded, limit int64) []byte {
	if r.Output.Stderr == 0 {
		return nil
	}
	_, stderr, err := v.view.Output(r.Row)
	if err != nil {
		return nil
	}
	return endOf(stderr, limit)
}

func endOf(out *io.SectionReader, limit int64) []byte {
	b := make([]byte, min(out.Size(), limit))
	n, _ := out.ReadAt(b, out.Size()-int64(len(b)))
	return b[:n]
}

// failures prints a line for each.
func (v *viewer) failures() error {
	return v.each(true, v.limit, func(r *batch.Recorded) error { return v.line(r.Note()) })
}

// field prints a line of what there is, unless it is empty.
func (v *viewer) field(name, value string) {
	if value != "" {
		fmt.Fprintf(v.w, "%-10s %s\n", name, text.Plain(value, evidenceShown))
	}
}

// run prints what the run was, and its first failures.
func (v *viewer) run() error {
	info := &v.info
	v.field("run", info.ID)
	v.field("name", info.Name)
	v.field("file", info.File)
	if len(info.Argv) > 0 {
		v.field("command", commandLine(info.Argv))
	}
	v.field("folder", info.Dir)
	v.field("resumes", info.Parent)
	v.field("begin", moment(info.Begin))
	switch info.State {
	case journal.Ended:
		v.field("wall", text.Span(info.End.Time.Sub(info.Begin)))
		v.field("state", fmt.Sprintf("ended, exit code %d", info.End.ExitCode))
	case journal.Running:
		v.field("state", "running, for "+text.Span(time.Since(info.Begin).Round(time.Second)))
	default:
		v.field("state", "killed: its supervisor ended without a word; "+v.goOn())
	}
	if info.Workers > 0 {
		v.field("workers", strconv.Itoa(info.Workers))
	}
	v.field("version", info.Version)
	v.field("size", text.Size(info.Bytes))
	totals := counts(v.store, info)
	if totals != nil {
		v.field("jobs", totals.Line())
	}
	if err := v.firstFailures(totals); err != nil {
		return err
	}
	if err := v.w.Flush(); err != nil {
		return &writeError{err}
	}
	return nil
}

// goOn says how a run is resumed.
func (v *viewer) goOn() string {
	return "supervisor rerun " + v.info.ID + " -failed does what is left"
}

// firstFailures prints the first instances that were not ok: those of which the
// others are a consequence, if there are any.
func (v *viewer) firstFailures(totals *batch.Totals) error {
	limit := v.limit
	if limit == 0 {
		limit = failuresShown
	}
	causes, shown, total := false, 0, int64(0)
	if totals != nil {
		total = totals.Jobs - totals.OK
		causes = total > totals.Skipped+totals.Cancelled
		if causes {
			total -= totals.Skipped + totals.Cancelled
		}
	}
	err := v.each(true, 0, func(r *batch.Recorded) error {
		if causes && r.Consequence() {
			return nil
		}
		if shown == limit {
			return errEnough
		}
		if shown++; shown == 1 {
			v.w.WriteString("\nnot ok:\n")
		}
		if err := v.line("  " + r.Note()); err != nil {
			return err
		}
		if shown == 1 {
			return v.lastLines(v.tail(r, tailShown), 5, "      | ")
		}
		return nil
	})
	v.missing = false
	if err != nil {
		return err
	}
	if shown == limit && v.job == "" && total > int64(shown) {
		return v.line(fmt.Sprintf("  and %s more: supervisor show %s -failed lists all", text.Number(total-int64(shown)), v.info.ID))
	}
	return nil
}

func (v *viewer) lastLines(tail []byte, n int, indent string) error {
	for _, line := range text.LastLines(tail, n) {
		if err := v.line(indent + text.Plain(line, lineShown)); err != nil {
			return err
		}
	}
	return nil
}

// instance prints all that is known of one.
func (v *viewer) instance() error {
	return v.each(false, 1, func(r *batch.Recorded) error {
		v.field("instance", r.Label())
		v.field("run", v.info.ID)
		v.field("resumed", orNothing(r.OriginRun, "it was done by run "+r.OriginRun))
		if r.Item != "" {
			v.field("item", r.Item)
		}
		if r.Flags&journal.ItemCut != 0 {
			v.field("", fmt.Sprintf("(the first %s of it)", text.Size(int64(len(r.Item)))))
		}
		if r.Items > 0 {
			v.field("items", text.Number(r.Items))
		}
		v.field("outcome", r.Ending())
		if !r.Start.IsZero() {
			v.field("begin", moment(r.Start))
			v.field("wall", text.Span(r.Wall))
		}
		if r.CPU > 0 {
			v.field("CPU time", text.Span(r.CPU))
		}
		if r.Peak > 0 {
			v.field("peak", text.Size(r.Peak)+orNothing(r.PeakSource, " ("+r.PeakSource+")"))
		}
		v.field("worker", r.Worker)
		if r.PID > 0 {
			v.field("process", strconv.Itoa(r.PID))
		}
		if r.Slot > 0 {
			v.field("slot", strconv.Itoa(r.Slot))
		}
		if err := v.attempts(r); err != nil {
			return err
		}
		v.field("result", text.Cut(r.ResultText(), evidenceShown))
		if r.ResultBytes > 0 {
			v.field("result", fmt.Sprintf("of %s was too large to be recorded", text.Size(r.ResultBytes)))
		}
		if r.Outcome != "ok" && strings.Contains(r.Evidence, "\n") {
			v.w.WriteString("\nevidence:\n")
			lines := strings.Split(strings.TrimRight(text.Cut(r.Evidence, evidenceShown), "\n"), "\n")
			for _, line := range lines {
				v.line("  | " + text.Plain(line, lineShown))
			}
		}
		return v.outputs(r)
	})
}

func orNothing(s, otherwise string) string {
	if s == "" {
		return ""
	}
	return otherwise
}

// attempts prints those before the last one.
func (v *viewer) attempts(r *batch.Recorded) error {
	if r.Attempt <= 1 {
		return nil
	}
	v.field("attempts", strconv.Itoa(r.Attempt))
	list, err := v.view.Attempts(r.Row)
	if err != nil {
		return err
	}
	for i := range list {
		a := &list[i]
		line := fmt.Sprintf("  %d: %s", a.Attempt, batch.AttemptEnding(a))
		if !a.Start.IsZero() {
			line += fmt.Sprintf("; %s, %s", moment(a.Start), text.Span(a.Wall))
		}
		if err := v.line(line); err != nil {
			return err
		}
	}
	return nil
}

// outputs prints the ends of what the instance has written.
func (v *viewer) outputs(r *batch.Recorded) error {
	v.field("stdout", text.Size(r.Output.Stdout))
	v.field("stderr", text.Size(r.Output.Stderr))
	if r.Output.Len() == 0 {
		return nil
	}
	stdout, stderr, err := v.view.Output(r.Row)
	if err != nil {
		if errors.Is(err, journal.ErrGone) {
			return v.line("(" + gone(r.Row) + ")")
		}
		return err
	}
	for _, o := range []struct {
		name string
		out  *io.SectionReader
	}{{"stdout", stdout}, {"stderr", stderr}} {
		if o.out.Size() == 0 {
			continue
		}
		tail := endOf(o.out, tailShown)
		lines := text.LastLines(tail, linesShown)
		what := o.name
		if int64(len(tail)) < o.out.Size() || len(lines) == linesShown {
			what = "last lines of " + what
		}
		fmt.Fprintf(v.w, "\n%s:\n", what)
		if err := v.lastLines(tail, linesShown, "  | "); err != nil {
			return err
		}
	}
	return nil
}

// gone says why an output cannot be read.
func gone(r *journal.Row) string {
	size := text.Size(r.Output.Len())
	if r.Flags&journal.NotStored != 0 || !r.Output.Stored() {
		return "its output of " + size + " was not stored: there was no room for it"
	}
	return "its output of " + size + " is no longer stored: its room was needed"
}
