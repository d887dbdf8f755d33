package process

import (
	"errors"
	"fmt"
	"time"

	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/death"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
)

// Limits bound what a process and all that it starts may use, from its start on. A
// zero field is no limit. Who goes over one is killed with the whole tree, and the
// ExitError has a *LimitError. Linux only: elsewhere, and where this machine cannot
// enforce one, Start returns ErrConfine.
type Limits struct {
	Memory   int64         // resident bytes, of all processes together
	CPU      time.Duration // time of all processors together
	PIDs     int           // processes and threads at a time; a Go program has a handful before it does anything
	Files    int           // open descriptors of each process
	FileSize int64         // bytes of each file that is written

	// BestEffort starts the process without those limits that cannot be enforced here.
	BestEffort bool
}

func (l *Limits) check() error {
	if l.Memory < 0 || l.CPU < 0 || l.PIDs < 0 || l.Files < 0 || l.FileSize < 0 {
		return fmt.Errorf("%w: a limit is negative: %+v", ErrOption, *l)
	}
	return nil
}

// Level is how far a process is kept from the others. Each one has all that the
// ones before it have.
type Level = spawn.Level

const (
	// Plain is a session of its own, no descriptors but those given, no core dumps.
	Plain = spawn.Plain
	// Namespaces adds user, pid, net, ipc, uts and mount namespaces.
	Namespaces = spawn.Namespaces
	// Sandbox adds no_new_privs, Landlock and seccomp, and a user id of its own where
	// this program is root.
	Sandbox = spawn.Sandbox
)

// WithLimits bounds what the process may use.
func WithLimits(l Limits) Option {
	return func(o *options) error {
		if err := l.check(); err != nil {
			return err
		}
		c := &o.confinement
		c.Limits, c.BestEffort = nil, l.BestEffort
		set := spawn.Limits{Memory: l.Memory, CPU: l.CPU, PIDs: l.PIDs, Files: l.Files, FileSize: l.FileSize}
		if set != (spawn.Limits{}) {
			c.Limits = &set
		}
		return nil
	}
}

// WithIsolation sets how far the process is kept from the others; Plain without
// it. What this machine has not got of the level makes Start return ErrConfine.
func WithIsolation(level Level) Option { return withLevel(level, false) }

// WithBestIsolation is WithIsolation with as much of the level as this machine has.
func WithBestIsolation(level Level) Option { return withLevel(level, true) }

func withLevel(level Level, lenient bool) Option {
	return func(o *options) error {
		if level > Sandbox {
			return fmt.Errorf("%w: isolation level %d, want Plain, Namespaces or Sandbox", ErrOption, level)
		}
		o.confinement.Level, o.confinement.Lenient = level, lenient
		return nil
	}
}

// ErrConfine is what a ConfineError is: Start returns it where this machine cannot
// enforce a limit, or has not got a part of the level.
var ErrConfine = child.ErrConfine

// ConfineError names the part that this machine cannot do.
type ConfineError = child.ConfineError

// ErrLimit is what a LimitError is.
var ErrLimit = errors.New("limit exceeded")

// LimitError is a limit for which a process was killed, or under which it has
// failed. It is the Err of an ExitError.
type LimitError struct {
	Which string // "memory", "cpu", "pids", "files" or "file_size"
	// Limit is what was allowed and Observed what was seen, which is the same where the
	// kernel let nothing more happen: bytes, numbers, or nanoseconds of CPU time.
	Limit, Observed int64
	EnforcedBy      string // "cgroup v2", "cgroup v1", "rlimit" or "watchdog"
	Evidence        string // what that was concluded from
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("limit of %s exceeded (%s): %s", e.Which, spawn.Quantity(e.Which, e.Limit), e.Evidence)
}

// Is reports that a LimitError is an ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// exceeded is the limit that a process has run into, nil for none.
func (r *run) exceeded(st *spawn.Status) error {
	b := st.Breach
	if b == nil && r.opts.confinement.Limits != nil {
		said := []string{r.out.stderr.tail.String()}
		if x := r.x; x != nil && x.failure != nil {
			said = append(said, x.failure.Error())
		}
		answered := r.x != nil && r.x.answered && r.x.status == ipc.StatusOK
		if st.Code != 0 || r.x != nil && !answered {
			b = death.Limit(r.opts.confinement.Limits, death.Exits{Code: st.Code, Signal: st.Signal}, said...)
		}
	}
	if b == nil {
		return nil
	}
	return &LimitError{Which: b.Resource, Limit: b.Limit, Observed: b.Observed, EnforcedBy: b.EnforcedBy, Evidence: b.Evidence}
}
