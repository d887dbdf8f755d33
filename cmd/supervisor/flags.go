package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/config"
)

func runFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringSliceFlag{Name: "var", Usage: "give a variable of the file another value, `NAME=VALUE`"},
		&cli.StringSliceFlag{Name: "only", Usage: "run job `ID`, and what it needs, or one instance ID#INDEX alone"},
		&cli.BoolFlag{Name: "dry-run", Usage: "print what would run, and run nothing", DisableDefaultText: true},
		&cli.StringFlag{Name: "isolation", Usage: isolationUsage + "; or thread, which runs tasks as goroutines of the supervisor, for comparison"},
	}, commonFlags()...)
}

// commonFlags are those of all commands that run instances.
func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "workers", Aliases: []string{"j", "P"}, Usage: "run up to `N` instances at a time; default: the file's, else the CPUs"},
		&cli.StringSliceFlag{Name: "env", Usage: "declare a variable of the environment of all instances, `NAME=VALUE`"},
		&cli.StringFlag{Name: "C", Usage: "change to `DIR` first"},
		&cli.StringFlag{Name: "timeout", Usage: "bound each attempt to a `DURATION` where its job does not say"},
		&cli.StringFlag{Name: "retry", Usage: "try instances up to `N` more times where their job does not say"},
		&cli.StringFlag{Name: "deadline", Usage: "end the whole run after a `DURATION`, such as 10m"},
		&cli.StringFlag{Name: "halt", Usage: "end the run by a `POLICY` such as now,fail=1 or soon,fail=10% or now,success=1; default: the file's, else never"},
		&cli.BoolFlag{Name: "fail-fast", Usage: "the same as -halt now,fail=1", DisableDefaultText: true},
		&cli.StringFlag{Name: "drain", Value: "30s", Usage: "give a run that was told to end a `DURATION` for it, then kill what still runs"},
		&cli.StringFlag{Name: "load", Usage: "start nothing while the machine's load average is `N` or more; 150%: of its CPUs"},
		&cli.StringFlag{Name: "min-free-memory", Usage: "start nothing while less than `SIZE` of memory is available, such as 2GiB"},
		&cli.BoolFlag{Name: "resume", Usage: "do only what the latest run of the same file has not done", DisableDefaultText: true},
		&cli.StringFlag{Name: "resume-from", Usage: "the same for the run `RUN`"},
		&cli.BoolFlag{Name: "rerun-changed", Usage: "with -resume: run the tasks of worker programs again that have changed", DisableDefaultText: true},
		&cli.StringFlag{Name: "state", Usage: "keep the journal and outputs that are too large for memory in `DIR`; none: keep no journal; default: " + defaultState},
		&cli.StringFlag{Name: "output", Usage: "print by `MODE` what instances write: group, each whole and unmixed, live, line by line, order, in that of the file, or none; default: the file's, else group"},
		&cli.BoolFlag{Name: "k", Usage: "the same as -output order", DisableDefaultText: true},
		&cli.BoolFlag{Name: "tag", Usage: "put the name of its instance in front of each line of output", DisableDefaultText: true},
		&cli.StringFlag{Name: "output-dir", Usage: "write what each instance writes to a folder of its own in `DIR`"},
		&cli.StringFlag{Name: "results", Usage: "write a row for each instance to `FILE`.jsonl or FILE.csv"},
		&cli.StringFlag{Name: "events", Usage: "write what happens to `FILE`, a line of JSON for each event"},
		&cli.StringSliceFlag{Name: "report", Usage: "write a report of the run, however it ends, to `FILE`.json, FILE.html or FILE.xml (JUnit); more than once for more of them"},
		&cli.StringFlag{Name: "trace", Usage: "write when what ran to `FILE`.json, in the format of Chrome's traces"},
		&cli.BoolFlag{Name: "q", Usage: "write only about failures to stderr", DisableDefaultText: true},
		&cli.BoolFlag{Name: "no-progress", Usage: "do not show how far the run is", DisableDefaultText: true},
		&cli.StringFlag{Name: "log-level", Value: "off", Usage: "log to stderr from a `LEVEL` on: trace, debug, info, warn, error or off"},
		&cli.BoolFlag{Name: "log-json", Usage: "make what is logged lines of JSON", DisableDefaultText: true},
	}
}

func eachFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "a", Usage: "read the items from `FILE`, in place of stdin"},
		&cli.BoolFlag{Name: "0", Aliases: []string{"null"}, Usage: "items end with NUL, as those of find -print0, not with a line", DisableDefaultText: true},
		&cli.StringFlag{Name: "n", Usage: "pack up to `N` items into one command line, or auto"},
		&cli.BoolFlag{Name: "shell", Usage: "CMD is a script for sh, in which the item is \"$ITEM\", and packed ones \"$@\"", DisableDefaultText: true},
		&cli.BoolFlag{Name: "dry-run", Usage: "print what would run, and run nothing", DisableDefaultText: true},
		&cli.StringFlag{Name: "isolation", Usage: isolationUsage},
	}, commonFlags()...)
}

// isolationUsage is what the flag does for all commands that run instances.
const isolationUsage = "keep instances of jobs that do not say apart by `LEVEL`: process, the default, namespaces, or sandbox"

func validateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "var", Usage: "give a variable of the file another value, `NAME=VALUE`"},
		&cli.StringFlag{Name: "C", Usage: "change to `DIR` first"},
	}
}

// arrange puts the flags of a command line in front of what is not one, since
// cli stops at the first of these and ignores the rest. Flags that are unknown,
// or not there yet, and values that are missing are found on the way.
func arrange(app *cli.App, args []string) ([]string, error) {
	if len(args) < 2 {
		return args, nil
	}
	name := args[1]
	switch name {
	case "-h", "-help", "--help", "help":
		if len(args) < 3 {
			return []string{args[0], "--help"}, nil
		}
		return arrange(app, []string{args[0], args[2], "--help"})
	case "-version", "--version":
		return []string{args[0], "version"}, nil
	}
	var cmd *cli.Command
	var names []string
	for _, c := range app.Commands {
		names = append(names, c.Name)
		if c.Name == name {
			cmd = c
		}
	}
	switch {
	case cmd != nil:
	case strings.HasPrefix(name, "-"):
		return nil, usagef("the command comes first: supervisor run %s …", name)
	case strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml"):
		return nil, usagef("unknown command %q; to run a file: supervisor run %s", name, name)
	default:
		return nil, usagef("unknown command %q%s; supervisor help lists them", name, suggestion(name, "", names))
	}
	flags, rest, err := sift(cmd, args[2:])
	if err != nil {
		return nil, err
	}
	return append(append(append([]string{args[0], name}, flags...), "--"), rest...), nil
}

// sift tells flags, each made one argument with its value, from the others.
func sift(cmd *cli.Command, args []string) (flags, rest []string, err error) {
	known := map[string]cli.Flag{}
	var names []string
	for _, f := range cmd.Flags {
		for _, n := range f.Names() {
			known[n] = f
			names = append(names, n)
		}
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return flags, append(rest, args[i+1:]...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			if cmd.Name == "each" {
				return flags, append(rest, args[i:]...), nil // the flags of its command are its own
			}
			rest = append(rest, arg)
			continue
		}
		name, value, valued := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		if name == "h" || name == "help" {
			return []string{"--help"}, nil, nil
		}
		// -j4 and -P4, as make and xargs have it.
		if len(name) > 1 && !valued && (name[0] == 'j' || name[0] == 'P') && strings.Trim(name[1:], "0123456789") == "" {
			name, value, valued = name[:1], name[1:], true
		}
		f := known[name]
		switch {
		case f != nil:
		default:
			return nil, nil, usagef("unknown flag %s%s; supervisor %s -h lists them", arg, suggestion(name, "-", names), cmd.Name)
		}
		if _, ok := f.(*cli.BoolFlag); !ok && !valued {
			if i+1 == len(args) {
				return nil, nil, usagef("flag -%s needs a value", name)
			}
			i++
			value, valued = args[i], true
		}
		arg = "--" + f.Names()[0] // cli refuses one flag under two names
		if valued {
			arg += "=" + value
		}
		flags = append(flags, arg)
	}
	return flags, rest, nil
}

// suggestion gives the name nearest to what was written, if any is near.
func suggestion(written, dash string, names []string) string {
	name := config.Nearest(written, names)
	if name == "" {
		return ""
	}
	return " (did you mean " + dash + name + "?)"
}
