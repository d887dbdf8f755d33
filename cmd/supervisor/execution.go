package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/report"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/internal/terminal"
	"github.com/feac4032/multiproc/pool"
)

// execution is a run on its way from the command line to its exit code.
type execution struct {
	*command
	c        *cli.Context
	cfg      batch.Config
	log      logWriter
	identity string // what runs are the same by, for -resume
	unkept   bool   // there is a journal only where a flag asks for one

	threads bool
	reports []string // paths of reports in JSON
	store   *journal.Store
	opening *opening // nil: the guardian is not started yet
	closers []func()
}

// start does all that the flags ask for.
func (e *execution) start() error {
	defer func() {
		for i := len(e.closers) - 1; i >= 0; i-- {
			e.closers[i]()
		}
	}()
	c, cfg := e.c, &e.cfg
	cfg.Stdin, cfg.Stdout, cfg.Stderr, cfg.Quiet = e.stdin, e.stdout, e.stderr, c.Bool("q")
	cfg.Command = "supervisor " + strings.Join(e.args, " ")
	e.log.w = e.stderr
	if err := settle(c, cfg, &e.log); err != nil {
		return err
	}
	var err error
	cfg.Settings.Isolation = c.String("isolation")
	if e.threads, err = isolate(cfg.Settings.Isolation, cfg.File, c.Command.Name == "run"); err != nil {
		return e.refuse(err)
	}
	if err := e.openSecrets(); err != nil {
		return e.refuse(err)
	}
	if path := besideWorker(); path != "" {
		cfg.Settings.StockWorker = []string{path}
	}
	if c.Bool("dry-run") {
		e.code = batch.DryRun(*cfg)
		return nil
	}
	for _, step := range []func() error{e.openFiles, e.openState, e.openRun} {
		if err := step(); err != nil {
			return err
		}
	}
	signals, stop := listen()
	defer stop()
	cfg.Signals = signals
	if e.threads {
		if err := settleIn(cfg.File); err != nil {
			e.code = batch.ExitInternal
			return err
		}
	}
	return e.execute()
}

// openSecrets finds the secrets of the file, and hides them from then on in what is
// logged, and in what is kept of the command line.
func (e *execution) openSecrets() error {
	cfg := &e.cfg
	secrets, err := batch.OpenSecrets(cfg.File, &cfg.Settings)
	if err != nil {
		return err
	}
	e.log.mask = secrets.Masker()
	cfg.Settings.Secrets = secrets
	cfg.Command = e.log.mask.Text(cfg.Command)
	return nil
}

func (e *execution) later(f func()) { e.closers = append(e.closers, f) }

// openFiles opens what the run writes beside stdout, or finds out early that it
// cannot be written.
func (e *execution) openFiles() error {
	c, cfg := e.c, &e.cfg
	if path := c.String("events"); path != "" {
		file, err := createEvents(path)
		if err != nil {
			return unwritable("events", path, fmt.Errorf("%s: %w", path, reason(err)))
		}
		if file != os.Stdout && file != os.Stderr {
			e.later(func() { file.Close() })
		}
		cfg.Events = file
	}
	sink := func(flag string, open func(path string) (report.Sink, error)) error {
		path := c.String(flag)
		if path == "" {
			return nil
		}
		s, err := open(path)
		if err != nil {
			return unwritable(flag, path, err)
		}
		e.addSink(s)
		return nil
	}
	if err := sink("results", report.OpenResults); err != nil {
		return err
	}
	if err := sink("trace", func(path string) (report.Sink, error) {
		return report.OpenTrace(path, cfg.File.Name, cfg.Begin)
	}); err != nil {
		return err
	}
	if dir := c.String("output-dir"); dir != "" {
		out, err := report.OpenOutputDir(dir)
		if err != nil {
			return unwritable("output-dir", dir, err)
		}
		e.later(func() { out.Close(nil) })
		cfg.OutputDir = out
	}
	for _, path := range c.StringSlice("report") {
		if err := e.openReport(path); err != nil {
			return err
		}
	}
	return nil
}

// openReport opens a report by its extension. One of JSON is written in the end.
func (e *execution) openReport(path string) error {
	var sink report.Sink
	var err error
	switch filepath.Ext(path) {
	case ".html":
		sink, err = report.OpenHTML(path, e.cfg.Begin)
	case ".xml":
		sink, err = report.OpenJUnit(path)
	default:
		if path == "-" {
			return usagef("-report -: want a FILE.json, FILE.html or FILE.xml, or %s", os.Stdout.Name())
		}
		if err = report.Check(path); err == nil {
			path, err = filepath.Abs(path)
		}
		e.reports = append(e.reports, path)
	}
	if err != nil {
		return unwritable("report", path, err)
	}
	if sink != nil {
		e.addSink(sink)
	}
	return nil
}

// addSink has the run tell a file, which is given up if there is no run.
func (e *execution) addSink(s report.Sink) {
	e.cfg.Sinks = append(e.cfg.Sinks, s)
	e.later(func() { s.Close(nil) }) // which does nothing once it is closed
}

// openState makes the folder of the journal, or finds out that there is none.
func (e *execution) openState() error {
	name, given := e.c.String("state"), e.c.IsSet("state")
	resumes := e.c.Bool("resume") || e.c.IsSet("resume-from")
	switch {
	case given && name == "none" && resumes:
		return usagef("-resume wants the journal that -state none leaves out")
	case given && name == "none", e.unkept && !given && !resumes:
		return nil
	case !given:
		name = defaultState
	}
	store, err := journal.Open(name)
	switch {
	case err == nil:
		e.store, e.cfg.SpillDir = store, store.Dir()
		return nil
	case given || resumes:
		e.code = batch.ExitInternal
		return fmt.Errorf("-state %s: %w", name, reason(err))
	}
	if !e.cfg.Quiet {
		fmt.Fprintf(e.stderr, "supervisor: %s: %v; the run keeps no journal, and cannot be resumed\n", name, reason(err))
	}
	return nil
}

// openRun begins the run's record, and finds the one that it goes on from.
func (e *execution) openRun() error {
	if e.store == nil {
		return nil
	}
	cfg := &e.cfg
	parent, err := e.openPast()
	if err != nil {
		return err
	}
	jobs := batch.JournalJobs(cfg.File)
	if parent != nil {
		e.compare(jobs)
	}
	cfg.ID = batch.NewID(cfg.Begin)
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	info := journal.Info{
		ID: cfg.ID, Name: cfg.File.Name, Identity: e.identity, File: cfg.File.Path, Dir: dir,
		Argv: e.hiddenArgs(), Begin: cfg.Begin, Workers: cfg.Workers, Jobs: jobs, Version: version(),
	}
	if parent != nil {
		info.Parent = parent.ID
		// The latest run is the one that began last: never the one that is resumed, though
		// that may have begun while its lock was waited for, or by a clock that was ahead.
		if !info.Begin.After(parent.Begin) {
			info.Begin = parent.Begin.Add(time.Microsecond)
		}
	}
	if !e.threads {
		// Each takes milliseconds.
		info.Locked = func(lock *os.File) func() { return e.openGuardian(lock) }
	}
	run, err := e.store.Create(info)
	if err != nil {
		e.code = batch.ExitInternal
		return fmt.Errorf("-state %w", err)
	}
	e.later(func() { run.Close() })
	cfg.Journal = run
	return nil
}

// opening is a guardian that is being started.
type opening struct {
	done     chan struct{} // closed when it has, or has not
	guardian *spawn.Guardian
	err      error
}

// openGuardian begins to start the guardian, which holds these files until it has ended,
// at the latest by what is returned.
func (e *execution) openGuardian(hold ...*os.File) (closeIt func()) {
	o := &opening{done: make(chan struct{})}
	e.opening = o
	opts := spawn.Options{
		Exclusive: true, Hold: hold, Records: recordsFolder(),
		Logger: func(msg string, kv ...any) { e.cfg.Logger.Warn(msg, kv...) },
	}
	if worker := e.cfg.Settings.StockWorker; len(worker) > 0 {
		opts.Path = worker[0]
	}
	go func() {
		defer close(o.done)
		o.guardian, o.err = spawn.Open(opts)
	}()
	closeIt = func() {
		if <-o.done; o.err == nil {
			o.guardian.Close()
		}
	}
	e.later(closeIt)
	return closeIt
}

// hiddenArgs gives the command line without secrets.
func (e *execution) hiddenArgs() []string {
	args := slices.Clone(e.args)
	for i, arg := range args {
		args[i] = e.log.mask.Text(arg)
	}
	return args
}

// compare names the jobs whose worker program has changed since the run that is
// resumed, and has them run again if a flag says so.
func (e *execution) compare(jobs []journal.JobInfo) {
	changed := batch.Changed(jobs, e.cfg.Past)
	if len(changed) == 0 {
		return
	}
	what := "their instances that were ok are kept; -rerun-changed runs them again"
	if e.c.Bool("rerun-changed") {
		what = "all of their instances run again"
		e.cfg.Anew = make(map[string]bool, len(changed))
		for _, id := range changed {
			e.cfg.Anew[id] = true
		}
	}
	if !e.cfg.Quiet {
		fmt.Fprintf(e.stderr, "supervisor: the worker program has changed of %s: %s\n", strings.Join(changed[:min(len(changed), 20)], ", "), what)
	}
}

// openPast takes the run that is resumed, nil = there is none. While its lock was
// waited for somebody else may have resumed it, and then that one's run is the
// latest.
func (e *execution) openPast() (*journal.RunInfo, error) {
	parent, err := e.parent()
	for parent != nil && err == nil {
		past, failure := e.store.Resume(parent.ID)
		if failure != nil {
			e.code = batch.ExitInternal
			if errors.Is(failure, journal.ErrInUse) {
				e.code = batch.ExitInUse
			}
			return nil, fmt.Errorf("-resume: %w", failure)
		}
		var latest *journal.RunInfo
		if latest, err = e.parent(); err == nil && latest != nil && latest.ID == parent.ID {
			e.cfg.Past = past
			e.later(func() { past.Close() })
			return parent, nil
		}
		past.Close()
		parent = latest
	}
	return nil, err
}

// parent finds the run that is resumed, nil = there is none.
func (e *execution) parent() (*journal.RunInfo, error) {
	if name := e.c.String("resume-from"); name != "" {
		run, err := e.store.Find(name)
		if err != nil {
			return nil, usagef("-resume-from %s: %v", name, err)
		}
		return &run, nil
	}
	if !e.c.Bool("resume") {
		if e.c.Bool("rerun-changed") {
			return nil, usagef("-rerun-changed goes with -resume or -resume-from")
		}
		return nil, nil
	}
	run, err := e.store.Latest(e.identity)
	if err == nil || errors.Is(err, journal.ErrNotFound) {
		e.passedOver(run.Begin)
	}
	switch {
	case err == nil:
		return &run, nil
	case !errors.Is(err, journal.ErrNotFound):
		e.code = batch.ExitInternal
		return nil, fmt.Errorf("-resume: %w", err)
	}
	if !e.cfg.Quiet {
		fmt.Fprintln(e.stderr, "supervisor: no earlier run of this to resume; beginning anew")
	}
	return nil, nil
}

// passedOver says which runs since a time cannot be read: what they have done is
// done again.
func (e *execution) passedOver(since time.Time) {
	runs, err := e.store.Runs()
	if err != nil || e.cfg.Quiet {
		return
	}
	for i := range runs {
		if runs[i].Broken != nil && runs[i].Begin.After(since) {
			fmt.Fprintf(e.stderr, "supervisor: run %s cannot be read, and is passed over; supervisor ls says why\n", runs[i].ID)
		}
	}
}

// execute runs the file on this machine.
func (e *execution) execute() error {
	cfg, log := &e.cfg, e.cfg.Logger
	switch {
	case e.opening != nil:
	case cfg.Journal != nil:
		e.openGuardian(cfg.Journal.LockFile())
	default:
		e.openGuardian()
	}
	// A file may have a hundred thousand jobs.
	var err error
	if cfg.Settings.Plans, err = batch.NewPlans(cfg.File, &cfg.Settings); err != nil {
		e.code = batch.ExitInternal
		return err
	}
	<-e.opening.done
	g, err := e.opening.guardian, e.opening.err
	if err != nil {
		e.code = batch.ExitInternal
		return err
	}
	defer g.Close()
	if !cfg.Quiet {
		tellGaps(e.stderr, cfg.File, g)
	}
	cfg.Executor, err = openExecutor(e.threads, pool.Config{
		Workers: cfg.Workers, SpillDir: cfg.SpillDir, Guardian: g, Logger: log, OnLog: workerLog(log, e.log.mask),
	}, cfg.File, cfg.Settings)
	if err != nil {
		e.code = batch.ExitInternal
		return err
	}
	cfg.Executor = guarded{cfg.Executor, g}
	if stderr, ok := e.stderr.(*os.File); ok && !cfg.Quiet && !e.c.Bool("no-progress") {
		cfg.Progress = new(batch.Progress)
		display := terminal.Open(stderr, cfg.Progress, terminal.Options{Rows: cfg.Workers})
		defer display.Close()
		cfg.Stdout, cfg.Stderr = display.Writer(cfg.Stdout), display.Writer(cfg.Stderr)
		cfg.Hide = display.Close
	}
	rep := batch.Run(context.Background(), *cfg)
	e.code = rep.Exit
	if len(cfg.Only) > 0 && rep.Exit == batch.ExitOK && rep.Totals.Jobs == 0 {
		e.code = batch.ExitUsage
		fmt.Fprintln(e.stderr, "supervisor: -only: the input has no instance with such an index; nothing was run")
	}
	for _, path := range e.reports {
		b, err := rep.JSON()
		if err == nil {
			err = report.WriteFile(path, func(w io.Writer) error {
				_, err := w.Write(b)
				return err
			})
		}
		if err != nil {
			e.code = max(e.code, batch.ExitInternal)
			return fmt.Errorf("-report %w", err)
		}
	}
	return nil
}

// identity is what runs of a job file are the same by.
func identity(f *config.File) string {
	path, err := filepath.Abs(f.Path)
	if err != nil {
		return f.Path
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return path
}
