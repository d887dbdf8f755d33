package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/batch"
)

func (s *command) run(c *cli.Context) error {
	begin := time.Now()
	f, err := open(c)
	if err != nil {
		return s.refuse(err)
	}
	e := &execution{command: s, c: c, identity: identity(f)}
	if only := c.StringSlice("only"); len(only) > 0 {
		if e.cfg.Only, err = choose(f, only); err != nil {
			return err
		}
	}
	e.cfg.Begin, e.cfg.File = begin, f
	e.cfg.Settings.Vars = e.vars()
	return e.start()
}

// settle takes what the flags say, and what the file says where they say
// nothing.
func settle(c *cli.Context, cfg *batch.Config, log *logWriter) (err error) {
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
	if c.Bool("tag") && cfg.Tag == nil {
		cfg.Tag = (*batch.Instance).Label
	}
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
		case config.OutputGroup, config.OutputLive, config.OutputOrder, config.OutputNone:
		default:
			return usagef("-output %s: want group, live, order or none", cfg.Output)
		}
	}
	if c.Bool("k") {
		if c.IsSet("output") && cfg.Output != config.OutputOrder {
			return usagef("-k is -output order, which -output %s excludes", cfg.Output)
		}
		cfg.Output = config.OutputOrder
	}
	if err := retries(c, f); err != nil {
		return err
	}
	if cfg.Machine, err = machine(c); err != nil {
		return err
	}
	level := hclog.LevelFromString(c.String("log-level"))
	if level == hclog.NoLevel {
		return usagef("-log-level %s: want trace, debug, info, warn, error or off", c.String("log-level"))
	}
	cfg.Logger = hclog.New(&hclog.LoggerOptions{
		Name: "supervisor", Level: level, Output: log, JSONFormat: c.Bool("log-json"),
	})
	return nil
}

// retries gives the number of further attempts to jobs that do not say.
func retries(c *cli.Context, f *config.File) error {
	if !c.IsSet("retry") {
		return nil
	}
	n, err := strconv.Atoi(c.String("retry"))
	if err != nil || n < 0 || n > maxRetries {
		return usagef("-retry %s: want a number from 0 to %d", c.String("retry"), maxRetries)
	}
	for _, j := range f.Jobs {
		if j.Retry.Max == 0 {
			j.Retry = config.DefaultRetry(n)
		}
	}
	return nil
}

// maxRetries bounds the further attempts, as in the file.
const maxRetries = 1000

// machine makes the condition under which more is started.
func machine(c *cli.Context) (*batch.Machine, error) {
	load, free := 0.0, int64(0)
	if text := c.String("load"); text != "" {
		number, percent := strings.CutSuffix(text, "%")
		var err error
		load, err = strconv.ParseFloat(number, 64)
		if err != nil || !(load > 0) || load > 1e6 {
			return nil, usagef("-load %s: want a number above 0, or one with %%", text)
		}
		if percent {
			load *= float64(runtime.NumCPU()) / 100
		}
	}
	if text := c.String("min-free-memory"); text != "" {
		var err error
		if free, err = config.ParseSize(text); err != nil {
			return nil, usagef("-min-free-memory: %v", err)
		}
	}
	m, err := batch.NewMachine(load, free)
	if err != nil {
		return nil, usagef("-load and -min-free-memory: %v", err)
	}
	return m, nil
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

// vars are the variables that flags gave another value.
func (e *execution) vars() (given []config.Field) {
	for _, v := range e.c.StringSlice("var") {
		name, value, _ := strings.Cut(v, "=")
		given = append(given, config.Field{Name: name, Value: config.String(value)})
	}
	return given
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
