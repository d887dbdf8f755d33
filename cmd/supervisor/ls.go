package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/text"
)

// stateFlag is the flag of all commands about recorded runs.
func stateFlag() cli.Flag {
	return &cli.StringFlag{Name: "state", Usage: "look in the state folder `DIR`; default: " + defaultState}
}

func lsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print a line of JSON for each run", DisableDefaultText: true},
		stateFlag(),
	}
}

const lsAbout = `List the runs that are recorded in the state folder, the latest first.
STATE is what has become of a run: running; ended, then EXIT is its exit code; killed, when its supervisor ended without a word: run -resume goes on from there; damaged, when its record cannot be read; or newer, when a later version of the program wrote it.
OK and NOT OK count instances; those that were skipped are among JOBS alone. SIZE is what the run takes on the disk; outputs that runs share count in each.`

// ls lists the runs that are recorded.
func (s *command) ls(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("ls takes no arguments; supervisor show %s tells of one run", c.Args().First())
	}
	store, err := look(c)
	if errors.Is(err, errNoRuns) {
		fmt.Fprintln(s.stderr, "supervisor:", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer store.Close()
	runs, err := store.Runs()
	if err != nil {
		return s.unreadable(fmt.Errorf("state folder %s: %w", store.Dir(), err))
	}
	if len(runs) == 0 {
		fmt.Fprintf(s.stderr, "supervisor: no runs are recorded in %s\n", store.Dir())
		return nil
	}
	w := bufio.NewWriter(s.stdout)
	t := &table{right: 4}
	t.add("RUN", "NAME", "BEGIN", "STATE", "JOBS", "OK", "NOT OK", "EXIT", "SIZE")
	for i := range runs {
		info := &runs[i]
		totals := counts(store, info)
		if c.Bool("json") {
			w.Write(runObject(info, totals))
			w.WriteByte('\n')
			continue
		}
		jobs, ok, bad, code := "-", "-", "-", "-"
		if totals != nil {
			jobs, ok, bad = text.Number(totals.Jobs), text.Number(totals.OK), text.Number(totals.Jobs-totals.OK-totals.Skipped)
		}
		if info.State == journal.Ended {
			code = strconv.Itoa(info.End.ExitCode)
		}
		t.add(info.ID, orDash(text.Plain(info.Name, 30)), moment(info.Begin), condition(info), jobs, ok, bad, code, text.Size(info.Bytes))
	}
	if !c.Bool("json") {
		t.write(w)
	}
	if err := s.flush(w); err != nil {
		return err
	}
	for i := range runs {
		if runs[i].Broken != nil {
			fmt.Fprintln(s.stderr, "supervisor:", text.Plain(mend(&runs[i]), 2000))
		}
	}
	return nil
}

// flush writes what is left. A reader that has left, as head does, is no news.
func (s *command) flush(w *bufio.Writer) error { return s.written(w.Flush()) }

func (s *command) written(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPIPE):
		s.code = batch.ExitSignal + int(syscall.SIGPIPE)
		return nil
	}
	s.code = batch.ExitInternal
	return fmt.Errorf("stdout: %w", reason(err))
}

// counts gives how many instances of a run ended how; nil if that is not known.
func counts(store *journal.Store, info *journal.RunInfo) *batch.Totals {
	if info.Broken != nil {
		return nil
	}
	t := new(batch.Totals)
	if info.State == journal.Ended && json.Unmarshal(info.End.Totals, t) == nil {
		return t
	}
	view, err := store.View(info.ID)
	if err != nil {
		return nil // it is being made, or has gone
	}
	defer view.Close()
	n, err := view.Count()
	if err != nil {
		return nil
	}
	return batch.CountTotals(n)
}

// runObject describes a run as JSON.
func runObject(info *journal.RunInfo, totals *batch.Totals) []byte {
	o := new(text.Object)
	o.Open()
	o.Text("run", info.ID)
	o.Some("name", info.Name)
	o.Text("state", condition(info))
	if !info.Begin.IsZero() {
		o.Time("begin", info.Begin)
	}
	if info.State == journal.Ended {
		o.Time("end", info.End.Time)
		o.Seconds("wall_s", info.End.Time.Sub(info.Begin))
		o.Int("exit_code", int64(info.End.ExitCode))
	}
	if totals != nil {
		if b, err := totals.JSON(); err == nil {
			o.Name("totals")
			o.B = append(o.B, b...)
		}
	}
	o.Some("file", info.File)
	o.Some("dir", info.Dir)
	if len(info.Argv) > 0 {
		o.Text("command", commandLine(info.Argv))
	}
	if info.Workers > 0 {
		o.Int("workers", int64(info.Workers))
	}
	o.Some("resumes", info.Parent)
	o.Some("version", info.Version)
	o.Int("bytes", info.Bytes)
	if info.Broken != nil {
		o.Text("error", info.Broken.Error())
	}
	return o.Close()
}

// commandLine gives the line that started a run, for a shell.
func commandLine(argv []string) string {
	words := []string{"supervisor"}
	for _, a := range argv {
		words = append(words, text.Quote(a))
	}
	return strings.Join(words, " ")
}

// moment prints a time for people.
func moment(t time.Time) string { return t.Local().Format(time.DateTime) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// table is lines of cells, of which those from right on are numbers.
type table struct {
	rows  [][]string
	right int
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		var b strings.Builder
		for i, cell := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < t.right {
				b.WriteString(cell + pad)
			} else {
				b.WriteString(pad + cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}
