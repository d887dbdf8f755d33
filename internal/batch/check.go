package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/feac4032/multiproc/config"
)

// checkInputs looks for what the jobs without needs read; what others read may
// not be there yet.
func checkInputs(f *config.File, plans []*plan) []string {
	var problems []string
	for _, p := range plans {
		fe := p.job.Foreach
		if fe == nil || len(p.job.Needs) > 0 {
			continue
		}
		if err := checkInput(fe, p.root); err != nil {
			problems = append(problems, fmt.Sprintf("%s:%d:%d: job %s: %v", f.Path, fe.Pos.Line, fe.Pos.Col, p.job.ID, err))
		}
	}
	return problems
}

func checkInput(fe *config.Foreach, dir string) error {
	switch fe.Source {
	case config.FromGlob:
		g, err := openGlob(dir, fe.Patterns, fe.EmptyOK)
		if err != nil {
			return err
		}
		if err := g.probe(); err != nil && err != io.EOF {
			return err
		}
	case config.FromLines, config.FromNul, config.FromJSONL:
		if fe.Path == config.StdinPath {
			return nil
		}
		st, err := os.Stat(resolve(dir, fe.Path))
		if err != nil {
			return fmt.Errorf("%s: %w", fe.Path, cause(err))
		}
		if !st.IsDir() && !st.Mode().IsRegular() {
			return nil // to open a named pipe would wait for who writes into it
		}
		in, err := openInput(fe, dir, nil)
		if err != nil {
			return err
		}
		in.Close()
	}
	return nil
}

// checkTasks asks one worker of each program which tasks it knows.
func checkTasks(ctx context.Context, f *config.File, plans []*plan, ex Executor) error {
	known := make(map[string][]string)
	var problems []string
	for _, p := range plans {
		if p.job.Kind != config.Task {
			continue
		}
		at := fmt.Sprintf("%s:%d:%d: job %s", f.Path, p.job.Pos.Line, p.job.Pos.Col, p.job.ID)
		program := strings.Join(p.command, "\x00")
		names, asked := known[program]
		if !asked {
			if err := findProgram(p); err != nil {
				problems = append(problems, fmt.Sprintf("%s: worker %v", at, err))
				known[program] = nil
				continue
			}
			// A worker that keeps ending has its restarts beside the time to start.
			limit := p.start + time.Minute
			asking, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it has not said within %v which tasks it knows", limit))
			var err error
			names, err = ex.Tasks(asking, p.job)
			cancel()
			if err != nil {
				return fmt.Errorf("job %s: worker %s: %w", p.job.ID, p.workerName(), err)
			}
			if names == nil {
				names = []string{}
			}
			known[program] = names
		}
		if names == nil || slices.Contains(names, p.job.Task) {
			continue
		}
		near := config.Nearest(p.job.Task, names)
		if near != "" {
			near = fmt.Sprintf(" (did you mean %q?)", near)
		}
		problems = append(problems, fmt.Sprintf("%s: no task %q%s; worker %s has %s", at, p.job.Task, near, p.workerName(), listed(names)))
	}
	if problems != nil {
		return &UsageError{Problems: problems}
	}
	return nil
}

func (p *plan) workerName() string {
	if p.job.Worker == nil || len(p.job.Worker.Command) == 0 {
		return "(stock)"
	}
	return p.job.Worker.Command[0]
}

// findProgram tells a worker that is not there, or is no program, from one that
// does not start.
func findProgram(p *plan) error {
	if len(p.command) == 0 {
		return nil
	}
	var ee *exec.Error
	switch _, err := exec.LookPath(p.command[0]); {
	case err == nil || errors.Is(err, exec.ErrDot):
		return nil
	case errors.As(err, &ee) && ee.Err == exec.ErrNotFound:
		return fmt.Errorf("%s: not found in PATH", p.workerName())
	case errors.As(err, &ee):
		return fmt.Errorf("%s: %w", p.workerName(), cause(ee.Err))
	default:
		return fmt.Errorf("%s: %w", p.workerName(), err)
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	names = slices.Sorted(slices.Values(names))
	if more := len(names) - 30; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:30], ", "), more)
	}
	return strings.Join(names, ", ")
}
