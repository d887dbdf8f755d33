package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
)

func manFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "dir", Usage: "write the pages of all commands into `DIR`, which is made if need be"},
	}
}

func (s *command) man(c *cli.Context) error {
	app := s.app()
	if dir := c.String("dir"); dir != "" {
		if c.Args().Present() {
			return usagef("man -dir: all pages are written; want no COMMAND")
		}
		return s.writePages(app, dir)
	}
	switch c.Args().Len() {
	case 0:
		return s.print(strings.TrimSuffix(mainPage(app), "\n"))
	case 1:
		for _, cmd := range visible(app) {
			if cmd.Name == c.Args().First() {
				return s.print(strings.TrimSuffix(commandPage(app, cmd), "\n"))
			}
		}
		return usagef("man %s: no such command; supervisor help lists them", c.Args().First())
	}
	return usagef("man: one page at a time, not %d; -dir writes all", c.Args().Len())
}

func (s *command) writePages(app *cli.App, dir string) error {
	pages := map[string]string{"supervisor.1": mainPage(app)}
	for _, cmd := range visible(app) {
		pages["supervisor-"+cmd.Name+".1"] = commandPage(app, cmd)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return usagef("-dir %s: %v", dir, reason(err))
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			s.code = batch.ExitInternal
			return fmt.Errorf("-dir %s: %s: %w", dir, name, reason(err))
		}
	}
	return nil
}

// exitStatus is what the exit codes mean.
var exitStatus = []struct{ code, meaning string }{
	{"0", "All instances were ok, or the run was halted by a success that was asked for."},
	{"1", "Some instance was not ok."},
	{"2", "The command line or the job file is wrong; nothing was run."},
	{"3", "The run was halted by its policy, its deadline, or too many deaths of workers."},
	{"4", "An isolation or a limit that was asked for is not available."},
	{"5", "An internal error, or output was lost."},
	{"6", "The run is in use by another supervisor."},
	{"128+n", "Signal n ended the run."},
}

// roff is a page of the manual under way.
type roff struct{ strings.Builder }

// macro writes a request with its arguments.
func (r *roff) macro(name string, args ...string) {
	r.WriteString("." + name)
	for _, a := range args {
		r.WriteString(` "` + strings.ReplaceAll(a, `"`, `\(dq`) + `"`)
	}
	r.WriteString("\n")
}

// text writes paragraphs in short lines, of which none is a request.
func (r *roff) text(s string) {
	const width = 78
	for paragraph := range strings.SplitSeq(strings.TrimSpace(s), "\n") {
		if paragraph == "" {
			r.macro("PP")
			continue
		}
		line := ""
		flush := func() {
			if line[0] == '.' || line[0] == '\'' {
				r.WriteString(`\&`)
			}
			r.WriteString(line + "\n")
			line = ""
		}
		for word := range strings.FieldsSeq(paragraph) {
			if line != "" && len(line)+1+len(word) > width {
				flush()
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		if line != "" {
			flush()
		}
	}
}

func bold(s string) string   { return `\fB` + escapeRoff(s) + `\fR` }
func italic(s string) string { return `\fI` + escapeRoff(s) + `\fR` }

// escapeRoff makes text stand for itself: a dash is one that can be copied into a
// shell, and what is not ASCII is named, since not every roff reads UTF-8.
func escapeRoff(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`':
			b.WriteString("\\(ga")
		case r == '~':
			b.WriteString(`\(ti`)
		case r == '^':
			b.WriteString(`\(ha`)
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// sentence makes one of a usage.
func sentence(usage string) string {
	if usage == "" {
		return ""
	}
	return strings.ToUpper(usage[:1]) + strings.TrimSuffix(usage[1:], ".") + "."
}

func (r *roff) title(name string) {
	r.macro("TH", escapeRoff(strings.ToUpper(name)), "1", commitDay(), "multiproc", "User Commands")
}

// commitDay is when what this was built from was committed, "" if that is not
// known: pages of the same program are the same on any day.
func commitDay() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, kv := range info.Settings {
			if kv.Key == "vcs.time" && len(kv.Value) >= len(time.DateOnly) {
				return kv.Value[:len(time.DateOnly)]
			}
		}
	}
	return ""
}

// mainPage is supervisor(1).
func mainPage(app *cli.App) string {
	r := new(roff)
	r.title(app.Name)
	r.macro("SH", "NAME")
	r.text(app.Name + ` \- ` + escapeRoff(app.Usage))
	r.macro("SH", "SYNOPSIS")
	r.text(bold(app.Name) + " " + italic("COMMAND") + " [" + italic("FLAGS") + "] [" + italic("FILE") + "]")
	r.macro("SH", "DESCRIPTION")
	if _, about, ok := strings.Cut(app.UsageText, "\n"); ok {
		r.text(escapeRoff(about))
	}
	r.text(bold("-h") + escapeRoff(" behind a command lists its flags."))
	r.macro("SH", "COMMANDS")
	for _, c := range visible(app) {
		r.macro("TP")
		r.text(strings.TrimSpace(bold(c.Name) + " " + italic(c.ArgsUsage)))
		r.text(escapeRoff(sentence(c.Usage)))
	}
	r.exits()
	var pages []string
	for _, c := range visible(app) {
		pages = append(pages, app.Name+"-"+c.Name)
	}
	r.also(pages)
	return r.String()
}

// commandPage is the page of one command.
func commandPage(app *cli.App, c *cli.Command) string {
	r := new(roff)
	name := app.Name + "-" + c.Name
	r.title(name)
	r.macro("SH", "NAME")
	r.text(escapeRoff(name) + ` \- ` + escapeRoff(c.Usage))
	r.macro("SH", "SYNOPSIS")
	options := optionsOf(c)
	line := bold(app.Name + " " + c.Name)
	if len(options) > 0 {
		line += " [" + italic("FLAGS") + "]"
	}
	if c.ArgsUsage != "" {
		line += " " + escapeRoff(c.ArgsUsage)
	}
	r.text(line)
	r.macro("SH", "DESCRIPTION")
	about := c.Description
	if about == "" {
		about = sentence(c.Usage)
	}
	r.text(escapeRoff(about))
	if len(options) > 0 {
		r.macro("SH", "OPTIONS")
	}
	for _, o := range options {
		r.macro("TP")
		var names []string
		for _, n := range o.dashed() {
			text := bold(n)
			if o.value != "" {
				text += " " + italic(o.value)
			}
			names = append(names, text)
		}
		r.text(strings.Join(names, ", "))
		usage := o.usage
		if o.preset != "" {
			usage += "; default: " + o.preset
		}
		if o.many {
			usage += "; may be given more than once"
		}
		r.text(escapeRoff(sentence(usage)))
	}
	if c.Name == "run" {
		r.exits()
	}
	r.also([]string{app.Name})
	return r.String()
}

func (r *roff) exits() {
	r.macro("SH", "EXIT STATUS")
	for _, e := range exitStatus {
		r.macro("TP")
		r.text(bold(e.code))
		r.text(escapeRoff(e.meaning))
	}
}

// also refers to other pages.
func (r *roff) also(pages []string) {
	r.macro("SH", "SEE ALSO")
	for i, p := range pages {
		comma := ","
		if i == len(pages)-1 {
			comma = ""
		}
		r.WriteString(".BR " + escapeRoff(p) + " (1)" + comma + "\n")
	}
}
