package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/text"
)

func logsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "f", Usage: "go on until the run has ended", DisableDefaultText: true},
		&cli.BoolFlag{Name: "failed", Usage: "only of instances that were not ok", DisableDefaultText: true},
		&cli.BoolFlag{Name: "stdout", Usage: "only what was written to stdout", DisableDefaultText: true},
		&cli.BoolFlag{Name: "stderr", Usage: "only what was written to stderr", DisableDefaultText: true},
		&cli.BoolFlag{Name: "tag", Usage: "put the name of its instance in front of each line", DisableDefaultText: true},
		stateFlag(),
	}
}

const logsAbout = `Print what the instances of a run wrote, in the order in which they ended: to stdout what they wrote there, with the results of tasks, and the rest to stderr. Without -tag it is byte for byte the same.
RUN is the id of a run, or the beginning of it, and the last run by default. The exit code is 1 where an output is not stored, or no longer.`

// How often a run is looked at that is followed. Of a supervisor that was killed
// nothing is written, and its lock says it.
const (
	lookEvery  = 100 * time.Millisecond
	aliveEvery = 10 // looks
)

// logs prints what the instances of a run wrote.
func (s *command) logs(c *cli.Context) error {
	if c.Bool("stdout") && c.Bool("stderr") {
		return usagef("-stdout and -stderr exclude each other; without them it is both")
	}
	sub, err := s.subject(c)
	if err != nil {
		return err
	}
	defer sub.close()
	p := &printer{
		subject: sub, out: bufio.NewWriterSize(s.stdout, 64<<10), err: s.stderr,
		tag: c.Bool("tag"), failed: c.Bool("failed"), noStdout: c.Bool("stderr"), noStderr: c.Bool("stdout"),
	}
	if c.Bool("f") {
		err = p.follow()
	} else {
		err = p.print()
	}
	if ferr := p.flush(); err == nil {
		err = ferr
	}
	var fault *writeError
	switch {
	case errors.As(err, &fault):
		return s.written(fault.err)
	case err != nil:
		return s.unreadable(err)
	}
	if p.seen == 0 && !p.failed {
		fmt.Fprintln(s.stderr, "supervisor:", sub.none())
		if sub.index != nil {
			s.code = batch.ExitNotOK
		}
	}
	if more := p.missing - goneShown; more > 0 {
		fmt.Fprintf(s.stderr, "supervisor: %s further outputs are not stored\n", text.Number(more))
	}
	if p.missing > 0 {
		s.code = batch.ExitNotOK
	}
	return nil
}

// printer prints outputs.
type printer struct {
	*subject
	out                *bufio.Writer
	err                io.Writer
	tag                bool
	failed             bool
	noStdout, noStderr bool

	after   int64 // the row that was printed last
	seen    int64 // instances
	missing int64 // outputs that are not stored
}

// goneShown bounds the lines about outputs that are not stored.
const goneShown = 20

// print prints what has been recorded since it was called before.
func (p *printer) print() error {
	f := p.filter()
	f.Failed, f.AfterRow = p.failed, p.after
	return p.view.Each(f, func(row *journal.Row) error {
		p.after = row.Row
		r := p.recorded(row)
		if p.failed && r.Harmless() {
			return nil
		}
		p.seen++
		return p.instance(r)
	})
}

// instance prints what one wrote.
func (p *printer) instance(r *batch.Recorded) error {
	stdout, stderr, err := p.view.Output(r.Row)
	switch {
	case errors.Is(err, journal.ErrGone):
		stdout, stderr = nil, nil
		if err := p.gone(r); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	tag := ""
	if p.tag {
		tag = r.Label()
	}
	if !p.noStdout {
		line := r.ResultLine(stdout)
		if stdout != nil {
			if err := p.copy(p.out, tag, stdout, r); err != nil {
				return err
			}
		}
		if tag != "" && len(line) > 0 && line[0] == '\n' {
			line = line[1:] // the tagged line before it has been ended
		}
		if err := copyTagged(p.out, tag, bytes.NewReader(line)); err != nil {
			return &writeError{err}
		}
		if r.ResultBytes > 0 && r.Task {
			if err := p.say(r.Label() + ": its result of " + text.Size(r.ResultBytes) + " was too large to be recorded"); err != nil {
				return err
			}
			p.missing++
		}
	}
	if p.noStderr || stderr == nil || stderr.Size() == 0 {
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	w := bufio.NewWriterSize(p.err, 4<<10)
	if err := p.copy(w, tag, stderr, r); err != nil {
		return err
	}
	w.Flush() // nobody is left to be told that stderr is broken
	return nil
}

// copy prints one output. One that goes meanwhile is said.
func (p *printer) copy(w io.Writer, tag string, out *io.SectionReader, r *batch.Recorded) error {
	from := &watched{r: out}
	err := copyTagged(w, tag, from)
	switch {
	case from.err != nil && errors.Is(from.err, journal.ErrGone):
		return p.gone(r)
	case from.err != nil:
		return from.err
	case err != nil:
		return &writeError{err}
	}
	return nil
}

func copyTagged(w io.Writer, tag string, from io.Reader) error {
	if tag != "" {
		return batch.WriteTagged(w, tag, from)
	}
	_, err := io.Copy(w, from)
	return err
}

// watched tells errors of reading from those of writing.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// gone says that an output is not stored, of the first of them.
func (p *printer) gone(r *batch.Recorded) error {
	if p.missing++; p.missing > goneShown {
		return nil
	}
	return p.say(r.Label() + ": " + gone(r.Row))
}

func (p *printer) say(line string) error {
	err := p.flush()
	fmt.Fprintln(p.err, "supervisor:", line)
	return err
}

func (p *printer) flush() error {
	if err := p.out.Flush(); err != nil {
		return &writeError{err}
	}
	return nil
}

// follow prints what is recorded until the run has ended.
func (p *printer) follow() error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		// What is recorded after this is seen by the next look.
		version, err := p.view.Version()
		if err != nil {
			return err
		}
		if p.info, err = p.state(); err != nil {
			return err
		}
		if err := p.print(); err != nil {
			return err
		}
		if err := p.flush(); err != nil {
			return err
		}
		if p.info.State != journal.Running {
			return nil
		}
		if err := p.wait(tick, version); err != nil {
			return err
		}
	}
}

// wait returns when something has been recorded, or the run may have ended.
func (p *printer) wait(tick *time.Ticker, version int64) error {
	for range aliveEvery {
		<-tick.C
		if now, err := p.view.Version(); err != nil || now != version {
			return err
		}
	}
	return nil
}

// state reads anew what has become of the run.
func (p *printer) state() (journal.RunInfo, error) {
	info, err := p.store.Find(p.info.ID)
	if err == nil {
		err = info.Broken
	}
	info.Jobs = p.info.Jobs
	return info, err
}
