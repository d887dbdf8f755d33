package main

import (
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/config"
)

// choices are the values of flags that have few. One is offered as soon as the
// usage of the flag has it: what it does not name is not there yet.
var choices = map[string][]string{
	"halt":      {"never", "now,fail=1", "soon,fail=10%", "now,success=1"},
	"isolation": {config.IsolationProcess, config.IsolationNamespaces, config.IsolationSandbox, isolationThread},
	"log-level": {"trace", "debug", "info", "warn", "error", "off"},
	"output":    {config.OutputGroup, config.OutputLive, config.OutputOrder, config.OutputNone},
}

// option is a flag as documents and shells know it.
type option struct {
	names  []string // without dashes, the main one first
	usage  string
	value  string // the name of its value, "" if it takes none
	preset string // its default, "" if the usage says it or there is none
	many   bool   // it may be given more than once
	values []string
}

// optionsOf gives the flags of a command, other than the one for help that all
// have.
func optionsOf(c *cli.Command) (options []option) {
	for _, f := range c.Flags {
		doc, ok := f.(cli.DocGenerationFlag)
		if v, hides := f.(cli.VisibleFlag); !ok || hides && !v.IsVisible() || f.Names()[0] == "help" {
			continue
		}
		o := option{names: f.Names()}
		o.value, o.usage = nameOfValue(doc.GetUsage())
		if !doc.TakesValue() {
			o.value = ""
		} else {
			if o.value == "" {
				o.value = "VALUE"
			}
			o.preset = doc.GetValue()
		}
		if s, ok := f.(cli.DocGenerationSliceFlag); ok && s.IsSliceFlag() {
			o.many, o.preset = true, ""
		}
		for _, v := range choices[o.names[0]] {
			if regexp.MustCompile(`(^|[\s:])` + regexp.QuoteMeta(v) + `($|[\s,;:])`).MatchString(o.usage) {
				o.values = append(o.values, v)
			}
		}
		options = append(options, o)
	}
	return options
}

// nameOfValue finds what stands between back quotes, and takes these away.
func nameOfValue(usage string) (name, plain string) {
	before, rest, ok := strings.Cut(usage, "`")
	name, after, closed := strings.Cut(rest, "`")
	if !ok || !closed {
		return "", usage
	}
	return name, before + name + after
}

// arguments are what a command takes besides flags.
type arguments struct {
	files   bool     // job files
	runs    bool     // that are recorded
	command bool     // one that is to be run, with its arguments
	words   []string // one of them
}

func argumentsOf(c *cli.Command) (a arguments) {
	for word := range strings.FieldsSeq(c.ArgsUsage) {
		word = strings.Trim(word, "[].")
		if strings.Contains(word, "|") {
			a.words = strings.Split(word, "|")
		}
		a.files = a.files || word == "FILE"
		a.runs = a.runs || word == "RUN"
		a.command = a.command || word == "CMD"
	}
	return a
}

// visible gives the commands that are shown.
func visible(app *cli.App) (cmds []*cli.Command) {
	for _, c := range app.Commands {
		if !c.Hidden && c.Name != "help" {
			cmds = append(cmds, c)
		}
	}
	return cmds
}
