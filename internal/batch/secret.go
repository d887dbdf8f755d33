package batch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/mask"
)

// minFileValue is the least length in bytes of a value of a file of variables that is
// hidden: those that no job calls a secret may be short words that stand everywhere.
const minFileValue = 6

// Secrets are the variables of a job file's `secrets` and `env_file`, and what hides
// their values from all that a run writes. Nil has none.
type Secrets struct {
	environ map[string]string // secrets that the supervisor's environment has
	files   map[string][]config.EnvEntry
	mask    *mask.Masker
}

// OpenSecrets reads the files of variables that the jobs of a file name, and looks for
// their secrets. It gives nil for a file that has neither. An error is a *UsageError:
// what is missing, in which line.
func OpenSecrets(f *config.File, s *Settings) (*Secrets, error) {
	if !slices.ContainsFunc(f.Jobs, func(j *config.Job) bool { return len(j.Secrets)+len(j.EnvFiles) > 0 }) {
		return nil, nil
	}
	root, err := filepath.Abs(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("folder of %s: %w", f.Path, err)
	}
	r := secretReader{
		file: f, root: root, environ: s.Environ, given: s.Env, said: make(map[config.Pos]bool),
		Secrets: Secrets{environ: make(map[string]string), files: make(map[string][]config.EnvEntry)},
	}
	if r.environ == nil {
		r.environ = os.Environ()
	}
	for _, j := range f.Jobs {
		r.job(j)
	}
	if r.problems != nil {
		return nil, &UsageError{Problems: r.problems}
	}
	for _, entries := range r.files {
		for _, e := range entries {
			if len(e.Value) >= minFileValue {
				r.values = append(r.values, e.Value)
			}
		}
	}
	r.mask = mask.New(r.values)
	return &r.Secrets, nil
}

// secretReader is how they are found.
type secretReader struct {
	Secrets
	file     *config.File
	root     string
	environ  []string
	given    []config.Field // by flags
	values   []string       // to be hidden
	problems []string
	said     map[config.Pos]bool // of those that many jobs have from defaults
}

func (r *secretReader) fail(pos config.Pos, j *config.Job, format string, args ...any) {
	if r.said[pos] {
		return
	}
	r.said[pos] = true
	r.problems = append(r.problems, fmt.Sprintf("%s:%d:%d: job %s: ", r.file.Path, pos.Line, pos.Col, j.ID)+fmt.Sprintf(format, args...))
}

func (r *secretReader) job(j *config.Job) {
	for _, ef := range j.EnvFiles {
		r.read(j, ef)
	}
	for _, s := range j.Secrets {
		value, filed := r.filed(j, s.Name)
		if outer, ok := r.lookup(s.Name); ok && !filed {
			value, filed = outer, true
			r.Secrets.environ[s.Name] = outer
		}
		switch {
		case slices.ContainsFunc(r.given, func(e config.Field) bool { return e.Name == s.Name }):
			r.fail(s.Pos, j, "secret %s is given by -env: a command line is shown and recorded; take it from the environment or an env_file", s.Name)
		case !filed:
			r.fail(s.Pos, j, "secret %s is neither in the supervisor's environment nor in an env_file of the job", s.Name)
		case len(strings.TrimSpace(value)) < mask.MinLen:
			r.fail(s.Pos, j, "secret %s has less than %d bytes: hiding it would garble all output", s.Name, mask.MinLen)
		default:
			r.values = append(r.values, value)
		}
	}
}

// filed looks a variable up in the files of a job, of which the last one wins.
func (r *secretReader) filed(j *config.Job, name string) (value string, ok bool) {
	for _, ef := range j.EnvFiles {
		for _, e := range r.files[ef.Path] {
			if e.Name == name {
				value, ok = e.Value, true
			}
		}
	}
	return value, ok
}

// lookup finds a variable of the supervisor's environment, in which a later one wins.
func (r *secretReader) lookup(name string) (value string, ok bool) {
	for _, kv := range r.environ {
		if n, v, is := strings.Cut(kv, "="); is && n == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// read reads a file of variables, each once.
func (r *secretReader) read(j *config.Job, ef config.EnvFile) {
	if _, known := r.files[ef.Path]; known {
		return
	}
	r.files[ef.Path] = nil
	src, err := readAtMost(resolve(r.root, ef.Path), config.MaxEnvFile+1)
	if err != nil {
		r.fail(ef.Pos, j, "env_file %s: %v", ef.Path, cause(err))
		return
	}
	entries, err := config.ParseEnvFile(ef.Path, src)
	var bad config.Errors
	if errors.As(err, &bad) {
		for _, e := range bad {
			r.problems = append(r.problems, e.Error())
		}
		return
	}
	r.files[ef.Path] = entries
}

// readAtMost reads the beginning of a file.
func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// Masker gives what hides the values, nil where there are none.
func (s *Secrets) Masker() *mask.Masker {
	if s == nil {
		return nil
	}
	return s.mask
}

// appendEnv appends the variables of a job: those of its files win over those of the
// supervisor's environment.
func (s *Secrets) appendEnv(env []string, j *config.Job) []string {
	if s == nil {
		return env
	}
	for _, v := range j.Secrets {
		if value, ok := s.environ[v.Name]; ok {
			env = append(env, v.Name+"="+value)
		}
	}
	for _, ef := range j.EnvFiles {
		for _, e := range s.files[ef.Path] {
			env = append(env, e.Name+"="+e.Value)
		}
	}
	return env
}
