package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// shells are those for which there is a script.
var shells = map[string]func(*strings.Builder, *cli.App){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}

func (s *command) completion(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return usagef("completion: want one of bash, zsh and fish")
	}
	write := shells[c.Args().First()]
	if write == nil {
		return usagef("completion %s: want bash, zsh or fish", c.Args().First())
	}
	var b strings.Builder
	write(&b, s.app())
	return s.print(strings.TrimSuffix(b.String(), "\n"))
}

// Kinds of values.
const (
	kindFile  = "file"
	kindDir   = "dir"
	kindWord  = "word"  // one of a list
	kindRun   = "run"   // one that is recorded
	kindOther = "other" // which no shell can know
)

func (o option) kind() string {
	switch {
	case len(o.values) > 0:
		return kindWord
	case o.value == "DIR":
		return kindDir
	case o.value == "RUN":
		return kindRun
	case strings.HasPrefix(o.value, "FILE"):
		return kindFile
	}
	return kindOther
}

// dashed gives the names as they are written here.
func (o option) dashed() []string {
	names := make([]string, len(o.names))
	for i, n := range o.names {
		names[i] = "-" + n
	}
	return names
}

// single quotes for any of the shells.
func single(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// completeBash writes for bash 3.2 and later, without its package of completions.
func completeBash(b *strings.Builder, app *cli.App) {
	var names []string
	wrappers := []string{"''"} // a pattern of nothing would be a mistake
	for _, c := range visible(app) {
		names = append(names, c.Name)
		if argumentsOf(c).command {
			wrappers = append(wrappers, c.Name)
		}
	}
	fmt.Fprintf(b, `# Completion of supervisor for bash: source <(supervisor completion bash)

_supervisor_words() {
	local w
	while IFS= read -r w; do COMPREPLY+=("$w"); done < <(compgen "$@" -- "$cur")
}

_supervisor_files() {
	type compopt &>/dev/null && compopt -o filenames 2>/dev/null
	_supervisor_words "$@"
}

_supervisor_runs() {
	_supervisor_words -W "$(supervisor ls -json 2>/dev/null | cut -d '"' -f 4)"
}

# Commands whose arguments are those of another.
_supervisor_commands() {
	case ${COMP_WORDS[1]} in %s) _supervisor_words -c ;; esac
}

_supervisor() {
	local cur=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]} i
	COMPREPLY=()
	if [[ $COMP_CWORD -eq 1 ]]; then
		_supervisor_words -W %s
		return
	fi
	# Behind -- there are no flags: it is a file, or a command and its arguments.
	for ((i = 2; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -- ]] || continue
		((i + 1 == COMP_CWORD)) && _supervisor_commands
		_supervisor_files -f
		return
	done
	# The = between a flag and its value is a word of its own.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $flag == = ]]; then
		flag=${COMP_WORDS[COMP_CWORD-2]}
	fi
	[[ $flag == --* ]] && flag=${flag#-}
	case ${COMP_WORDS[1]}:$flag in
`, strings.Join(wrappers, "|"), single(strings.Join(names, " ")))
	for _, c := range visible(app) {
		for _, o := range optionsOf(c) {
			if o.value == "" {
				continue
			}
			var at []string
			for _, name := range o.dashed() {
				at = append(at, c.Name+":"+name)
			}
			does := map[string]string{
				kindFile: "_supervisor_files -f", kindDir: "_supervisor_files -d", kindOther: ":",
				kindRun:  "_supervisor_runs",
				kindWord: "_supervisor_words -W " + single(strings.Join(o.values, " ")),
			}[o.kind()]
			fmt.Fprintf(b, "\t%s) %s; return ;;\n", strings.Join(at, "|"), does)
		}
	}
	b.WriteString("\tesac\n\tcase ${COMP_WORDS[1]}:$cur in\n")
	for _, c := range visible(app) {
		var flags []string
		for _, o := range optionsOf(c) {
			flags = append(flags, o.dashed()...)
		}
		if len(flags) > 0 {
			fmt.Fprintf(b, "\t%s:-*)\n\t\t[[ $cur == --* ]] && cur=${cur#-}\n\t\t_supervisor_words -W %s ;;\n", c.Name, single(strings.Join(flags, " ")))
		}
		a := argumentsOf(c)
		if len(a.words) > 0 {
			fmt.Fprintf(b, "\t%s:*) _supervisor_words -W %s ;;\n", c.Name, single(strings.Join(a.words, " ")))
		}
		if a.runs {
			fmt.Fprintf(b, "\t%s:*) _supervisor_runs ;;\n", c.Name)
		}
		if a.files {
			fmt.Fprintf(b, "\t%s:*)\n\t\t_supervisor_files -f -X '!*.yaml'\n\t\t_supervisor_files -f -X '!*.yml'\n\t\t_supervisor_files -d ;;\n", c.Name)
		}
	}
	b.WriteString("\tesac\n}\n\ncomplete -F _supervisor supervisor\n")
}

// completeZsh writes a function for $fpath that may be sourced as well.
func completeZsh(b *strings.Builder, app *cli.App) {
	b.WriteString(`#compdef supervisor
# Completion of supervisor for zsh: source <(supervisor completion zsh), or put it
# as _supervisor into a folder of $fpath.

_supervisor() {
	local -a commands
	commands=(
`)
	for _, c := range visible(app) {
		fmt.Fprintf(b, "\t\t%s\n", single(c.Name+":"+strings.ReplaceAll(c.Usage, ":", `\:`)))
	}
	b.WriteString(`	)
	if (( CURRENT == 2 )); then
		_describe command commands
		return
	fi
	shift words
	(( CURRENT-- ))
	case $words[1] in
`)
	const runs = `{compadd -- $(supervisor ls -json 2>/dev/null | cut -d "\"" -f 4)}`
	// In a description brackets end it, and in a value's name a colon.
	inBrackets := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`)
	for _, c := range visible(app) {
		fmt.Fprintf(b, "\t%s)\n\t\t_arguments", c.Name)
		for _, o := range optionsOf(c) {
			does := map[string]string{kindFile: "_files", kindDir: "_files -/", kindWord: "(" + strings.Join(o.values, " ") + ")", kindRun: runs, kindOther: " "}[o.kind()]
			for _, name := range o.dashed() {
				spec := name + "[" + inBrackets.Replace(o.usage) + "]"
				if o.many {
					spec = "*" + spec
				}
				if o.value != "" {
					spec += ":" + inBrackets.Replace(o.value) + ":" + does
				}
				fmt.Fprintf(b, " \\\n\t\t\t%s", single(spec))
			}
		}
		a := argumentsOf(c)
		switch {
		case len(a.words) > 0:
			fmt.Fprintf(b, " \\\n\t\t\t%s", single("1: :("+strings.Join(a.words, " ")+")"))
		case a.command:
			fmt.Fprintf(b, " \\\n\t\t\t%s", single("*::command:_normal"))
		case a.runs:
			fmt.Fprintf(b, " \\\n\t\t\t%s", single("*:run:"+runs))
		case a.files:
			fmt.Fprintf(b, " \\\n\t\t\t%s", single(`*:file:_files -g "*.(yaml|yml)"`))
		case c.ArgsUsage != "":
			fmt.Fprintf(b, " \\\n\t\t\t%s", single("*: : "))
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString(`	esac
}

if [[ $funcstack[1] == _supervisor ]]; then
	_supervisor "$@"
else
	compdef _supervisor supervisor
fi
`)
}

// completeFish writes lines for fish 3 and later.
func completeFish(b *strings.Builder, app *cli.App) {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
	}
	b.WriteString("# Completion of supervisor for fish: supervisor completion fish | source\n\ncomplete -c supervisor -f\n")
	for _, c := range visible(app) {
		fmt.Fprintf(b, "complete -c supervisor -n __fish_use_subcommand -a %s -d %s\n", c.Name, quote(c.Usage))
	}
	runs := quote(`(supervisor ls -json 2>/dev/null | string replace -r '^."run":"([^"]*)".*' '$1')`)
	for _, c := range visible(app) {
		seen := "complete -c supervisor -n " + quote("__fish_seen_subcommand_from "+c.Name)
		for _, o := range optionsOf(c) {
			line := seen
			for _, name := range o.names {
				if len(name) == 1 {
					line += " -s " + name
				} else {
					line += " -o " + name
				}
			}
			switch o.kind() {
			case kindWord:
				line += " -x -a " + quote(strings.Join(o.values, " "))
			case kindRun:
				line += " -x -a " + runs
			case kindDir:
				line += " -x -a " + quote("(__fish_complete_directories)")
			case kindFile:
				line += " -r -F"
			default:
				if o.value != "" {
					line += " -x"
				}
			}
			fmt.Fprintf(b, "%s -d %s\n", line, quote(o.usage))
		}
		a := argumentsOf(c)
		if len(a.words) > 0 {
			fmt.Fprintf(b, "%s -a %s\n", seen, quote(strings.Join(a.words, " ")))
		}
		if a.command {
			fmt.Fprintf(b, "%s -a %s\n", seen, quote("(__fish_complete_subcommand)"))
		}
		if a.runs {
			fmt.Fprintf(b, "%s -a %s\n", seen, runs)
		}
		if a.files {
			for _, ext := range []string{".yaml", ".yml"} {
				fmt.Fprintf(b, "%s -a %s\n", seen, quote("(__fish_complete_suffix "+ext+")"))
			}
		}
	}
}
