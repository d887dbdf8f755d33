package process

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/task"
)

// Option changes how a process is started. An option that cannot be meant makes
// Start return ErrOption.
type Option func(*options) error

type options struct {
	name         string
	env          []string // nil = this process's
	dir          string
	stdin        io.Reader
	stdout       io.Writer
	stderr       io.Writer
	ownStdout    bool // the caller has said what stdout is, maybe nil; the same below
	ownStderr    bool
	program      []string // nil = this program
	killAfter    time.Duration
	startTimeout time.Duration // 0 = default
	daemon       bool
	logger       hclog.Logger // nil = none
	ownLogger    bool         // the caller has said so
	progress     func([]byte) error
	manager      *manager.Manager
	confinement  child.Confinement
}

const (
	defaultKillAfter    = 5 * time.Second
	defaultStartTimeout = 60 * time.Second
)

// WithName sets the name, which errors show and which a task finds in
// worker.Current and Current. 1 to 4096 bytes of UTF-8. Without it processes are
// numbered: see Name.
func WithName(name string) Option {
	return func(o *options) error {
		if name == "" || len(name) > ipc.MaxName || !utf8.ValidString(name) {
			return fmt.Errorf("%w: name %.64q, want 1 to %d bytes of UTF-8", ErrOption, name, ipc.MaxName)
		}
		o.name = name
		return nil
	}
}

// WithEnv sets the whole environment, as KEY=value; the last of equal keys
// counts. Without it, and for nil, it is this process's at Start.
func WithEnv(env []string) Option {
	env = slices.Clone(env)
	return func(o *options) error {
		o.env = env
		return nil
	}
}

// WithDir sets the working directory. Without it, and for "", it is this
// process's at Start.
func WithDir(dir string) Option {
	return func(o *options) error {
		o.dir = dir
		return nil
	}
}

// WithStdin sets what a command reads: an *os.File is handed to it, any other
// reader is copied through a pipe as long as the command runs. nil, and the
// default, is the null device. A reader that blocks for ever holds up a
// goroutine, but not Done. A task has no stdin: for it the option is an error.
func WithStdin(r io.Reader) Option {
	return func(o *options) error {
		o.stdin = r
		return nil
	}
}

// WithStdout sets where stdout goes: an *os.File is handed to the process, any
// other writer gets a copy of what it writes, and has all of it when Done is
// closed. nil is the null device. A writer that blocks holds up the process, and
// Done. When the writer fails, the rest is dropped, the process goes on, and
// Join returns the error.
func WithStdout(w io.Writer) Option {
	return func(o *options) error {
		o.stdout, o.ownStdout = w, true
		return nil
	}
}

// WithStderr is WithStdout for stderr, which is always copied, because its end
// is kept. If both go to the same writer, its Write is called by one goroutine at
// a time.
func WithStderr(w io.Writer) Option {
	return func(o *options) error {
		o.stderr, o.ownStderr = w, true
		return nil
	}
}

// WithProgram makes another program run the task: a worker, in any language,
// that speaks ipc/PROTOCOL.md and knows the task's name. Without it this program
// is executed again. A command is its own program: for it the option is an error.
func WithProgram(argv ...string) Option {
	argv = slices.Clone(argv)
	return func(o *options) error {
		if len(argv) == 0 {
			return fmt.Errorf("%w: program without a name", ErrOption)
		}
		o.program = argv
		return nil
	}
}

// WithKillAfter sets the time between SIGTERM and SIGKILL when the lifetime of
// the process has ended; 5 s without it, 0 kills at once. With 2 s more it is
// also what a task's program has to exit once the task has returned.
func WithKillAfter(d time.Duration) Option {
	return func(o *options) error {
		if d < 0 {
			return fmt.Errorf("%w: kill after %v, want 0 or more", ErrOption, d)
		}
		o.killAfter = d
		return nil
	}
}

// WithStartTimeout bounds the time from a task's Start until its program says
// that it is ready; 60 s without it. Then the process is killed, with
// ErrNotReady. A command has nothing to say: for it the option is an error.
func WithStartTimeout(d time.Duration) Option {
	return func(o *options) error {
		if d <= 0 {
			return fmt.Errorf("%w: start timeout of %v, want more than 0", ErrOption, d)
		}
		o.startTimeout = d
		return nil
	}
}

// WithDaemon makes a process for which Main does not wait: it is terminated when
// the program's main function has returned. daemon=True in Python; here a daemon
// may have children, which end with it as with any other process.
func WithDaemon() Option {
	return func(o *options) error {
		o.daemon = true
		return nil
	}
}

// WithLogger sets where the lines go that a task logs with worker.Logger: to l,
// named after the process. Nil drops them. Without it l is hclog.Default(), which
// is also what worker.Logger returns outside of workers. A logger that blocks
// holds up the process, and Done. A command has no logger: for it the option is
// an error.
func WithLogger(l hclog.Logger) Option {
	return func(o *options) error {
		o.logger, o.ownLogger = l, true
		return nil
	}
}

// WithProgress hands to f what a task reports with worker.Progress, decoded
// strictly as T, in the order in which it was reported, and all of it before Done
// is closed. Without it reports are dropped. An f that blocks holds up the
// process, and Done. After a report that does not decode, or an f that panics,
// the rest is dropped, the process goes on, and Join returns the error. A command
// has no progress: for it the option is an error.
func WithProgress[T any](f func(T)) Option {
	return func(o *options) error {
		if f == nil {
			return fmt.Errorf("%w: progress without a function", ErrOption)
		}
		o.progress = func(payload []byte) error {
			var v T
			if err := task.Decode(payload, &v); err != nil {
				return err
			}
			f(v)
			return nil
		}
		return nil
	}
}

// check finds options that do not go with what is to be run.
func (o *options) check(command bool) error {
	switch {
	case command && o.program != nil:
		return fmt.Errorf("%w: WithProgram is for tasks", ErrOption)
	case command && o.startTimeout != 0:
		return fmt.Errorf("%w: WithStartTimeout is for tasks", ErrOption)
	case command && o.ownLogger:
		return fmt.Errorf("%w: WithLogger is for tasks", ErrOption)
	case command && o.progress != nil:
		return fmt.Errorf("%w: WithProgress is for tasks", ErrOption)
	case command && o.manager != nil:
		return fmt.Errorf("%w: WithManager is for tasks", ErrOption)
	case !command && o.stdin != nil:
		return fmt.Errorf("%w: WithStdin is for commands", ErrOption)
	}
	return nil
}

// streams returns where the output goes. Defaults are looked up at Start.
func (o *options) streams() (stdout, stderr io.Writer) {
	stdout, stderr = os.Stdout, os.Stderr
	if o.ownStdout {
		stdout = o.stdout
	}
	if o.ownStderr {
		stderr = o.stderr
	}
	return stdout, stderr
}
