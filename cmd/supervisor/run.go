package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/pool"
)

func (s *command) run(c *cli.Context) error {
	cfg := batch.Config{
		Begin: time.Now(), Stdin: s.stdin, Stdout: s.stdout, Stderr: s.stderr, Quiet: c.Bool("q"),
	}
	f, err := open(c)
	if err != nil {
		return s.refuse(err)
	}
	cfg.File = f
	if err := settle(c, &cfg); err != nil {
		return err
	}
	threads, err := asThreads(c.String("isolation"), f)
	if err != nil {
		return s.refuse(err)
	}
	if path := besideWorker(); path != "" {
		cfg.Settings.StockWorker = []string{path}
	}
	if c.Bool("dry-run") {
		s.code = batch.DryRun(cfg)
		return nil
	}
	report := c.String("report")
	if err := checkReport(report); err != nil {
		return err
	}
	if path := c.String("events"); path != "" {
		file, err := createEvents(path)
		if err != nil {
			return usagef("-events %s: %v", path, reason(err))
		}
		if file != os.Stdout && file != os.Stderr {
			defer file.Close()
		}
		cfg.Events = file
	}
	spill, remove, warning, err := stateDir(c.String("state"), c.IsSet("state"))
	defer remove()
	if err != nil {
		s.code = batch.ExitInternal
		return err
	}
	if warning != "" && !cfg.Quiet {
		fmt.Fprintln(s.stderr, "supervisor:", warning)
	}
	signals, stop := listen()
	defer stop()
	cfg.Signals = signals
	if threads {
		if report, err = settleIn(f, report); err != nil {
			s.code = batch.ExitInternal
			return err
		}
	}
	return s.execute(cfg, threads, spill, report)
}

// execute runs the file on this machine.
func (s *command) execute(cfg batch.Config, threads bool, spill, report string) error {
	log := cfg.Logger
	guardian := ""
	if len(cfg.Settings.StockWorker) > 0 {
		guardian = cfg.Settings.StockWorker[0]
	}
	g, err := spawn.Open(spawn.Options{
		Path: guardian, Exclusive: true,
		Logger: func(msg string, kv ...any) { log.Warn(msg, kv...) },
	})
	if err != nil {
		s.code = batch.ExitInternal
		return err
	}
	defer g.Close()
	cfg.Executor, err = openExecutor(threads, pool.Config{
		Workers: cfg.Workers, SpillDir: spill, Guardian: g, Logger: log, OnLog: workerLog(log),
	}, cfg.File, cfg.Settings)
	if err != nil {
		s.code = batch.ExitInternal
		return err
	}
	rep := batch.Run(context.Background(), cfg)
	s.code = rep.Exit
	if report != "" {
		if err := writeReport(report, rep); err != nil {
			s.code = max(s.code, batch.ExitInternal)
			return fmt.Errorf("-report %s: %w", report, reason(err))
		}
	}
	return nil
}

// settle takes what the flags say, and what the file says where they say
// nothing.
func settle(c *cli.Context, cfg *batch.Config) (err error) {
	f := cfg.File
	cfg.Workers = f.Workers
	if c.IsSet("workers") {
		text := c.String("workers")
		if cfg.Workers, err = strconv.Atoi(text); err != nil || cfg.Workers < 1 || cfg.Workers > maxWorkers {
			return usagef("-workers %s: want a number from 1 to %d", text, maxWorkers)
		}
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	for _, kv := range c.StringSlice("env") {
		name, value, ok := strings.Cut(kv, "=")
		switch {
		case !ok || name == "":
			return usagef("-env %s: want NAME=VALUE", kv)
		case config.ReservedEnv(name):
			return usagef("-env %s: %s is set by the supervisor", kv, name)
		}
		cfg.Settings.Env = append(cfg.Settings.Env, config.Field{Name: name, Value: config.String(value)})
	}
	cfg.Deadline, cfg.Halt, cfg.Output = f.Deadline, f.Halt, f.Output
	if cfg.Deadline, err = duration(c, "deadline", cfg.Deadline); err != nil {
		return err
	}
	if cfg.Settings.Timeout, err = duration(c, "timeout", 0); err != nil {
		return err
	}
	if cfg.Drain, err = duration(c, "drain", 0); err != nil {
		return err
	}
	if c.IsSet("halt") {
		if c.Bool("fail-fast") {
			return usagef("-halt and -fail-fast exclude each other")
		}
		if cfg.Halt, err = config.ParseHalt(c.String("halt")); err != nil {
			return usagef("-halt: %v", err)
		}
	}
	if c.Bool("fail-fast") {
		cfg.Halt = config.Halt{Now: true, Count: 1}
	}
	if c.IsSet("output") {
		switch cfg.Output = c.String("output"); cfg.Output {
		case config.OutputGroup, config.OutputNone:
		case "live", "order":
			return usagef("-output %s is not available yet", cfg.Output)
		default:
			return usagef("-output %s: want group or none", cfg.Output)
		}
	}
	level := hclog.LevelFromString(c.String("log-level"))
	if level == hclog.NoLevel {
		return usagef("-log-level %s: want trace, debug, info, warn, error or off", c.String("log-level"))
	}
	cfg.Logger = hclog.New(&hclog.LoggerOptions{
		Name: "supervisor", Level: level, Output: cfg.Stderr, JSONFormat: c.Bool("log-json"),
	})
	return nil
}

// maxWorkers bounds the slots, as in the file.
const maxWorkers = 1 << 20

func duration(c *cli.Context, name string, otherwise time.Duration) (time.Duration, error) {
	text := c.String(name)
	if text == "" {
		return otherwise, nil
	}
	d, err := config.ParseDuration(text)
	if err != nil {
		return 0, usagef("-%s: %v", name, err)
	}
	return d, nil
}

// createEvents makes the file of events. Opening standard output once more would
// cut off a file that it leads to, and write over what jobs write.
func createEvents(path string) (*os.File, error) {
	switch path {
	case os.Stdout.Name():
		return os.Stdout, nil
	case os.Stderr.Name():
		return os.Stderr, nil
	}
	return os.Create(path)
}

// checkReport finds out early that a report could not be written in the end.
func checkReport(path string) error {
	switch ext := filepath.Ext(path); {
	case path == "":
		return nil
	case path == "-":
		return usagef("-report -: want a FILE.json, or %s", os.Stdout.Name())
	case ext == ".html" || ext == ".xml":
		return usagef("-report %s: reports other than .json are not available yet", path)
	}
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		err = syscall.EISDIR
	case err == nil && !st.Mode().IsRegular():
		return nil // a pipe or a device is written to in its place
	default:
		err = writable(filepath.Dir(path))
	}
	if err != nil {
		return usagef("-report %s: %v", path, reason(err))
	}
	return nil
}

// writeReport writes beside the file and renames, so that who reads it never
// sees half of one.
func writeReport(path string, rep *batch.Report) error {
	b, err := rep.JSON()
	if err != nil {
		return err
	}
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return os.WriteFile(path, b, 0o644) // a pipe or a device is not replaced
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
