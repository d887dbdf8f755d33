package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
	_ "github.com/feac4032/multiproc/internal/stock"
	"github.com/feac4032/multiproc/worker"
)

// maxStack bounds the stack of a goroutine, in bytes: what nests deeper than
// that is a mistake, and is to be found out early.
const maxStack = 64 << 20

func main() {
	// In a worker or a guardian, which may be this program again, Init does not
	// return.
	worker.Init()
	debug.SetMaxStack(maxStack)
	if os.Getenv("GOGC") == "" {
		keepHeadroom()
	}
	os.Exit(supervise(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// command is one call of the program.
type command struct {
	args           []string // behind the program's name, as they were given
	stdin          io.Reader
	stdout, stderr io.Writer
	code           int
}

// supervise acts on a command line and returns the exit code.
func supervise(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &command{args: args[min(1, len(args)):], stdin: stdin, stdout: stdout, stderr: stderr}
	app := s.app()
	args, err := arrange(app, args)
	if err == nil {
		err = app.RunContext(context.Background(), args)
	}
	if err != nil {
		var usage *usageError
		if !errors.As(err, &usage) && s.code == 0 {
			err = &usageError{text: err.Error()} // cli's own complaints are about flags
		}
		fmt.Fprintln(stderr, "supervisor:", err)
		if s.code == 0 {
			s.code = batch.ExitUsage
		}
	}
	return s.code
}

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func (s *command) app() *cli.App {
	return &cli.App{
		Name:            "supervisor",
		HelpName:        "supervisor",
		Usage:           "run the jobs of a file on isolated worker processes",
		UsageText:       "supervisor COMMAND [FLAGS] [FILE]\nFlags may stand before or behind the file, with one dash or two.",
		HideHelpCommand: true,
		Writer:          s.stdout,
		ErrWriter:       s.stderr,
		// A comma is part of a value.
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              func(_ *cli.Context, err error, _ bool) error { return err },
		Commands: []*cli.Command{
			{
				Name: "run", Usage: "run the jobs of FILE, by default of " + defaultFile,
				ArgsUsage: "[FILE]", Flags: runFlags(), Action: s.run, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "each", Usage: "run CMD for each item of stdin; {} in it is the item, and without one the item comes last",
				ArgsUsage: "[--] CMD [ARG]...", Flags: eachFlags(), Action: s.each, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "validate", Usage: "check FILE, by default " + defaultFile + ", and say all that is wrong with it",
				ArgsUsage: "[FILE]", Flags: validateFlags(), Action: s.validate, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "init", Usage: "write a job file to begin with to FILE, by default to " + defaultFile,
				ArgsUsage: "[FILE]", Flags: initFlags(), Action: s.init, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "ls", Usage: "list the runs that are recorded, the latest first", Description: lsAbout,
				Flags: lsFlags(), Action: s.ls, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "show", Usage: "show what a run came to, by default the last, or one instance of it", Description: showAbout,
				ArgsUsage: "[RUN] [JOB[#INDEX]]", Flags: showFlags(), Action: s.show, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "logs", Usage: "print what the instances of a run wrote, by default of the last", Description: logsAbout,
				ArgsUsage: "[RUN] [JOB[#INDEX]]", Flags: logsFlags(), Action: s.logs, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "rerun", Usage: "run the command line of a run again, by default of the last", Description: rerunAbout,
				ArgsUsage: "[RUN]", Flags: rerunFlags(), Action: s.rerun, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "prune", Usage: "remove all but the latest runs from the state folder, or the RUNs alone", Description: pruneAbout,
				ArgsUsage: "[RUN]...", Flags: pruneFlags(), Action: s.prune, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "doctor", Usage: "say which limits and levels of isolation this machine can enforce", Description: doctorAbout,
				Flags: doctorFlags(), Action: s.doctor, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "experiment", Usage: "compare threads with processes, by experiments of the NAMEs, by default all",
				ArgsUsage: "[NAME]...", Flags: experimentFlags(), Action: s.experiment, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "completion", Usage: "print the completion of commands and flags for a shell, to be sourced by it",
				ArgsUsage: "bash|zsh|fish", Action: s.completion, HideHelpCommand: true,
			},
			{
				Name: "man", Usage: "print the manual page of COMMAND, or the one of all commands, as roff",
				ArgsUsage: "[COMMAND]", Flags: manFlags(), Action: s.man, HideHelpCommand: true,
				OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			},
			{
				Name: "version", Usage: "say which version this is", Action: s.version, HideHelpCommand: true,
			},
		},
		Action: func(c *cli.Context) error {
			cli.HelpPrinter(s.stderr, cli.AppHelpTemplate, c.App)
			s.code = batch.ExitUsage
			return nil
		},
	}
}

func (s *command) version(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("version takes no arguments")
	}
	return s.print("supervisor " + version())
}

// version says which version this is, of what revision, built by which Go.
func version() string {
	version, revision := "(devel)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			version = info.Main.Version
		}
		for _, kv := range info.Settings {
			if kv.Key == "vcs.revision" {
				revision = " " + kv.Value
			}
		}
		version += revision + " " + info.GoVersion
	}
	return strings.TrimSpace(version)
}

// print writes the one line that a command is for.
func (s *command) print(line string) error {
	if _, err := fmt.Fprintln(s.stdout, line); err != nil {
		s.code = batch.ExitInternal
		return fmt.Errorf("stdout: %w", reason(err))
	}
	return nil
}
