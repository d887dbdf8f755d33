package batch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/pool"
)

// DryRun prints a line for each instance that would run, in the order of the
// file, and runs nothing. Slots and attempts count 1. It returns the exit code.
func DryRun(cfg Config) int {
	plans, err := newPlans(cfg.File, &cfg.Settings)
	var usage *UsageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintln(cfg.Stderr, err)
		return ExitUsage
	case err != nil:
		fmt.Fprintln(cfg.Stderr, "supervisor:", err)
		return ExitInternal
	}
	m := cfg.Settings.Secrets.Masker()
	if problems := checkInputs(cfg.File, plans); problems != nil {
		fmt.Fprintln(cfg.Stderr, strings.Join(problems, "\n"))
		return ExitUsage
	}
	w := bufio.NewWriterSize(cfg.Stdout, 64<<10)
	bad := false
	for _, p := range plans {
		err := dryJob(w, p, cfg.Stdin)
		if err != nil {
			if w.Flush() != nil {
				break // which is said below
			}
			bad = true
			fmt.Fprintf(cfg.Stderr, "supervisor: job %s: %s\n", p.job.ID, m.Text(err.Error()))
		}
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintf(cfg.Stderr, "supervisor: stdout: %v\n", cause(err))
		return ExitInternal
	}
	if bad {
		return ExitNotOK
	}
	return ExitOK
}

func dryJob(w *bufio.Writer, p *plan, stdin io.Reader) error {
	f := p.job.Foreach
	switch {
	case f != nil && f.Source == config.FromJob:
		fmt.Fprintf(w, "%s: for each item of %s that is ok\n", p.job.ID, f.Of.ID)
		return nil
	case streams(f) && len(p.job.Needs) > 0:
		fmt.Fprintf(w, "%s: for each of %s, read when %s ended\n", p.job.ID, sourceName(f), needsText(p.job))
		return nil
	}
	js := &jobState{plan: p, chunk: newChunker(p.job.Chunk)}
	if f == nil {
		js.batch, js.done = []item{{}}, true
	} else {
		if stdin == nil {
			stdin = strings.NewReader("")
		}
		src, err := openSource(f, p.root, stdin, nil)
		if err != nil {
			return err
		}
		defer src.close()
		js.src = src
	}
	var failed error
	for js.has() || !js.drained() {
		if !js.has() {
			continue
		}
		in, err := js.take()
		var line string
		if err == nil {
			line, err = p.describe(in)
		}
		if err != nil {
			failed = fmt.Errorf("%s: %w", in.Label(), err)
			continue
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", in.Label(), line); err != nil {
			return err
		}
	}
	if js.err != nil {
		return js.err
	}
	return failed
}

// describe gives what an instance would run as a line for a shell, or for a task
// its name and argument.
func (p *plan) describe(in *Instance) (string, error) {
	s := p.scope(in, 1, 1)
	if p.job.Kind == config.Task {
		v := in.argument()
		if p.job.Args != nil {
			var err error
			if v, err = p.job.Args.Value(&s); err != nil {
				return "", err
			}
		}
		v, _ = hideItem(p.mask, v)
		return fmt.Sprintf("task %s %s", p.job.Task, text.Plain(string(v.AppendJSON(nil)), 4096)), nil
	}
	line, err := p.commandLine(in, &s)
	return text.Plain(p.mask.Text(line), 4096), err
}

// commandLine gives what a command would run as a line for a shell.
func (p *plan) commandLine(in *Instance, s *config.Scope) (string, error) {
	argv, err := p.argv(s)
	if err != nil {
		return "", err
	}
	if _, err := p.environment(s); err != nil {
		return "", err
	}
	var words []string
	if p.job.Kind == config.Shell {
		// The values that a script sees come by its environment.
		for _, kv := range p.appendInstanceEnv(nil, in, 1, 1) {
			if strings.HasPrefix(kv, "ITEM") || strings.HasPrefix(kv, "MATRIX_") {
				name, value, _ := strings.Cut(kv, "=")
				words = append(words, name+"="+text.Quote(value))
			}
		}
	}
	for _, a := range argv {
		words = append(words, text.Quote(a))
	}
	return strings.Join(words, " "), nil
}

// reproduce gives a command line that does what an instance does, for people who
// look for the cause of a failure; "" = there is none. That of a command is for a
// shell in any folder. A task needs a worker, and so a supervisor; and so does what is
// kept within bounds, and what could not be copied from a terminal, such as a script of
// several lines.
func (p *plan) reproduce(in *Instance) string {
	if in.bad {
		return ""
	}
	if p.job.Kind == config.Task {
		return p.rerun(in)
	}
	if p.limits != nil || p.level > pool.Plain {
		return p.rerun(in)
	}
	s := p.scope(in, 1, 1)
	line, err := p.commandLine(in, &s)
	if err != nil || len(line) > maxReproduce {
		return ""
	}
	if len(p.job.EnvFiles) > 0 {
		return p.rerun(in) // a shell does not read them
	}
	dir, err := p.dir(&s)
	if err != nil {
		return ""
	}
	var env []string
	for _, e := range p.declared {
		if value, err := e.Value.Text(&s); err == nil {
			env = append(env, e.Name+"="+text.Quote(value)+" ")
		}
	}
	for _, v := range p.vars {
		if strings.Contains(line, config.EnvName("VAR", v.Name)) {
			env = append(env, config.EnvName("VAR", v.Name)+"="+text.Quote(v.Value.Text())+" ")
		}
	}
	line = "(cd " + text.Quote(dir) + " && " + strings.Join(env, "") + line + ")"
	if !printable(line) || p.mask.Text(line) != line {
		return p.rerun(in)
	}
	return line
}

// rerun gives a command line by which a supervisor runs an instance alone; "" =
// there is none, as for one whose items come from another job.
func (p *plan) rerun(in *Instance) string {
	f := p.job.Foreach
	if p.file == "" || f != nil && (f.Of != nil || f.Path == config.StdinPath) || p.job.Chunk.Auto {
		return ""
	}
	words := []string{"supervisor", "run", text.Quote(p.file), "-only", text.Quote(in.Label())}
	for _, v := range p.given {
		words = append(words, "-var", text.Quote(v.Name+"="+v.Value.Text()))
	}
	if p.isolation != "" {
		words = append(words, "-isolation", p.isolation)
	}
	line := strings.Join(words, " ")
	if len(line) > maxReproduce || !printable(line) || p.mask.Text(line) != line {
		return ""
	}
	return line
}

// printable reports whether a terminal shows a line as it is.
func printable(line string) bool { return text.Plain(line, len(line)) == line }

// maxReproduce bounds a line that is to be copied from a terminal, in bytes.
const maxReproduce = 1000

func sourceName(f *config.Foreach) string {
	switch {
	case f.Source == config.FromGlob:
		return "glob " + strings.Join(f.Patterns, ", ")
	case f.Of != nil:
		return f.Source.String() + " " + f.Of.ID
	}
	return f.Source.String() + " " + f.Path
}

func needsText(j *config.Job) string {
	ids := make([]string, len(j.Needs))
	for i, n := range j.Needs {
		ids[i] = n.ID
	}
	if len(ids) == 1 {
		return ids[0] + " has"
	}
	return strings.Join(ids, ", ") + " have"
}
