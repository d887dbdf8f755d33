package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/mask"
	"github.com/feac4032/multiproc/internal/text"
)

func rerunFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "failed", Usage: "do only what was not ok, or never started", DisableDefaultText: true},
		&cli.StringFlag{Name: "a", Usage: "with a run of each: read the items from `FILE`; -: from stdin"},
	}
	for _, f := range runFlags() {
		switch f.Names()[0] {
		case "resume", "resume-from": // -failed is what they are here
		default:
			flags = append(flags, f)
		}
	}
	return flags
}

const rerunAbout = `Run the command line of a run again, where it was started. RUN is its id, or the beginning of it, and the last run by default.
Flags that are given now come behind those of that command line, and win; files that they name are looked for here. The line that is run is printed.`

// rerun runs the command line of an earlier run again.
func (s *command) rerun(c *cli.Context) error {
	if dir := c.String("C"); dir != "" {
		if err := os.Chdir(dir); err != nil {
			return usagef("-C %s: %v", dir, reason(err))
		}
	}
	if c.Args().Len() > 1 {
		return usagef("rerun: one run at a time, not %d: %s", c.Args().Len(), strings.Join(c.Args().Slice(), " "))
	}
	info, dir, err := s.past(c)
	if err != nil {
		return err
	}
	app := s.app()
	line, err := again(app, c, s.args[1:], info, dir)
	if err != nil {
		return err
	}
	if err := os.Chdir(info.Dir); err != nil {
		return usagef("run %s was started in %s: %v", info.ID, info.Dir, reason(err))
	}
	s.args = line
	args, err := arrange(app, append([]string{app.Name}, line...))
	if err != nil {
		return err
	}
	if !quiet(args) {
		fmt.Fprintf(s.stderr, "supervisor: %s\n", text.Plain("cd "+text.Quote(info.Dir)+" && "+commandLine(line), maxLine))
	}
	return app.RunContext(context.Background(), args)
}

// maxLine bounds the line that is printed, in bytes.
const maxLine = 8 << 10

// past finds the run, and gives the path of its state folder.
func (s *command) past(c *cli.Context) (*journal.RunInfo, string, error) {
	if c.String("state") == "none" {
		return nil, "", usagef("rerun: -state none has no runs")
	}
	store, err := look(c)
	if err != nil {
		return nil, "", usagef("%v", err)
	}
	defer store.Close()
	info, err := store.Find(c.Args().First())
	switch {
	case err != nil:
		return nil, "", usagef("%v", err)
	case info.Broken != nil:
		return nil, "", s.unreadable(errors.New(mend(&info)))
	case len(info.Argv) == 0:
		return nil, "", usagef("run %s does not say how it was started: its command line was too long to be recorded", info.ID)
	case info.Argv[0] != "run" && info.Argv[0] != "each":
		return nil, "", usagef("run %s was started by %q, which is neither run nor each", info.ID, text.Plain(info.Argv[0], 100))
	case info.Argv[0] == "run" && slices.ContainsFunc(info.Argv, func(arg string) bool { return strings.Contains(arg, mask.Shown) }):
		return nil, "", usagef("run %s had a secret on its command line, which is not recorded", info.ID)
	}
	return &info, store.Dir(), nil
}

// again makes the command line: that of the run, with the flags given now, which
// are in args.
func again(app *cli.App, c *cli.Context, args []string, info *journal.RunInfo, state string) ([]string, error) {
	kind := info.Argv[0]
	cmd := app.Commands[slices.IndexFunc(app.Commands, func(c *cli.Command) bool { return c.Name == kind })]
	then, rest, err := sift(cmd, info.Argv[1:])
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", info.ID, err)
	}
	now, _, err := sift(c.Command, args)
	if err != nil {
		return nil, err
	}
	given := map[string]bool{}
	for _, f := range now {
		given[nameOf(f)] = true
	}
	if kind == "each" {
		file := valueOf(then, "a")
		if (file == "" || file == config.StdinPath) && !given["a"] {
			return nil, usagef("run %s took its items from stdin, which is over: rerun -a FILE takes them from a file, -a - from stdin", info.ID)
		}
	} else if given["a"] {
		return nil, usagef("run %s is of a job file, which says where its items come from: -a is for runs of each", info.ID)
	}
	line := []string{kind}
	for _, f := range then {
		if !replaced(nameOf(f), given) {
			line = append(line, f)
		}
	}
	for _, f := range now {
		switch name, value, _ := strings.Cut(f, "="); name {
		case "--failed":
			line = append(line, "--resume-from="+info.ID)
		case "--state", "--C":
		case "--results", "--events", "--report", "--trace", "--output-dir", "--a":
			if value != "" && value != config.StdinPath {
				if value, err = filepath.Abs(value); err != nil {
					return nil, err
				}
			}
			line = append(line, name+"="+value)
		default:
			line = append(line, f)
		}
	}
	if kind == "each" || state != filepath.Join(info.Dir, defaultState) {
		line = append(line, "--state="+state)
	}
	for i := range line[1:] {
		line[i+1] = strings.TrimPrefix(line[i+1], "-") // as they are written here
	}
	if kind == "each" || slices.ContainsFunc(rest, func(s string) bool { return strings.HasPrefix(s, "-") }) {
		line = append(line, "--")
	}
	return append(line, rest...), nil
}

// replaced reports that a flag of then has no place beside those given now, or in
// a run of its own.
func replaced(name string, given map[string]bool) bool {
	switch name {
	case "C", "state", "resume", "resume-from", "rerun-changed", "dry-run":
		return true
	case "halt", "fail-fast":
		return given["halt"] || given["fail-fast"]
	case "output", "k":
		return given["output"] || given["k"]
	case "var", "env":
		return false // by name
	}
	return given[name]
}

// nameOf gives the name of a flag that was sifted.
func nameOf(flag string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
	return name
}

func valueOf(flags []string, name string) (value string) {
	for _, f := range flags {
		if nameOf(f) == name {
			_, value, _ = strings.Cut(f, "=")
		}
	}
	return value
}

// quiet reports whether a command line that was arranged has -q.
func quiet(args []string) (q bool) {
	for _, a := range args {
		switch a {
		case "--":
			return q
		case "--q", "--q=true":
			q = true
		case "--q=false":
			q = false
		}
	}
	return q
}
