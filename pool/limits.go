package pool

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/death"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
)

// Limits bound what one attempt may use, with all processes that it starts. A zero
// field is no limit. Who goes over one is killed with its whole tree, and the
// attempt ends as Limited; Result.Which names the limit, Result.EnforcedBy who held
// it. For a task these are the limits of its worker, which then has one job at a
// time; what the program has needed to start counts as well, but for CPU time.
//
// Linux only, but for Output: elsewhere, and where this machine cannot enforce one,
// nothing is started, and the error is ErrConfine.
type Limits struct {
	// Memory is how many resident bytes the tree may have, all processes together.
	Memory int64
	// CPU is the time that all processors together may spend on an attempt.
	CPU time.Duration
	// PIDs is how many processes and threads there may be at a time. A Go program has
	// a handful of threads before it does anything.
	PIDs int
	// Files is how many descriptors each process may have open, those that it was
	// started with included. A worker needs 16 for itself.
	Files int
	// FileSize is how many bytes each file that it writes may have. What a task prints
	// goes to files, to which it applies too: a worker is replaced before its earlier
	// jobs have left less than half of it to the next one.
	FileSize int64
	// Output is how many bytes an attempt may write to stdout and stderr together. It
	// stands in place of Config.MaxOutput.
	Output int64

	// BestEffort starts the process without those limits that cannot be enforced here.
	// The log says once which these are.
	BestEffort bool
}

// Level is how far a process is kept from the others. Each one has all that the
// ones before it have.
type Level = spawn.Level

const (
	// Plain is a session of its own, no descriptors but those given, no core dumps.
	Plain = spawn.Plain
	// Namespaces adds user, pid, net, ipc, uts and mount namespaces: the process sees
	// no others, and no network.
	Namespaces = spawn.Namespaces
	// Sandbox adds no_new_privs, Landlock and seccomp, and a user id of its own where
	// this program is root.
	Sandbox = spawn.Sandbox
)

// ParseLevel reads the name of a level, as a job file has it: "process",
// "namespaces" or "sandbox".
func ParseLevel(s string) (Level, bool) { return spawn.ParseLevel(s) }

// ErrConfine is what a ConfineError is: a limit that this machine cannot enforce,
// or a part of a level of isolation that it has not got. It ends commands and, for
// all of them, the jobs of a class, as Failed with WhichConfine. Such a start is
// not repeated, and counts for nothing.
var ErrConfine = child.ErrConfine

// ConfineError names the part that this machine cannot do.
type ConfineError = child.ConfineError

// check finds fields that cannot be meant.
func (l *Limits) check() error {
	if l == nil {
		return nil
	}
	for _, f := range []struct {
		name string
		n    int64
	}{
		{"Memory", l.Memory}, {"CPU", int64(l.CPU)}, {"PIDs", int64(l.PIDs)},
		{"Files", int64(l.Files)}, {"FileSize", l.FileSize}, {"Output", l.Output},
	} {
		if f.n < 0 {
			return fmt.Errorf("limits: %s is negative", f.name)
		}
	}
	return nil
}

// checkLevel finds a level that there is not.
func checkLevel(l Level) error {
	if l > Sandbox {
		return fmt.Errorf("isolation: level %d, want Plain, Namespaces or Sandbox", l)
	}
	return nil
}

// enforced is what the guardian has to enforce; nil = nothing.
func (l *Limits) enforced() *spawn.Limits {
	if l == nil {
		return nil
	}
	s := spawn.Limits{Memory: l.Memory, CPU: l.CPU, PIDs: l.PIDs, Files: l.Files, FileSize: l.FileSize}
	if s == (spawn.Limits{}) {
		return nil
	}
	return &s
}

// output is how many bytes an attempt may write, where no limit of its own says
// otherwise most.
func (l *Limits) output(most int64) int64 {
	if l == nil || l.Output == 0 {
		return most
	}
	return l.Output
}

// confinement is what a process is started with.
func (p *Pool) confinement(l *Limits, level Level, lenient bool) child.Confinement {
	if p.cfg.fakes != nil {
		return child.Confinement{}
	}
	return child.Confinement{Limits: l.enforced(), Level: level, Lenient: lenient, BestEffort: l != nil && l.BestEffort}
}

// usage is what a process with limits can tell of what it has used.
type usage interface {
	// Mark begins an attempt: CPU time counts from here, and the peak of memory.
	Mark() error
	// Measure tells what was used since.
	Measure() (spawn.Usage, error)
}

// fakes stand in for what the guardian enforces and measures, in tests.
type fakes struct {
	usage  func(pid int) usage
	status func(*spawn.Status)
}

// usageOf gives what can be told of a process with these limits; nil is nothing.
func (p *Pool) usageOf(proc *spawn.Process, l *Limits) usage {
	if l.enforced() == nil {
		return nil
	}
	if f := p.cfg.fakes; f != nil {
		return f.usage(proc.PID())
	}
	return proc
}

// statusOf gives how a process has ended.
func (p *Pool) statusOf(proc *spawn.Process) spawn.Status {
	st := proc.Status()
	if f := p.cfg.fakes; f != nil && f.status != nil {
		f.status(&st)
	}
	return st
}

// had notes what a process was isolated by. The caller holds mu.
func (p *Pool) had(parts []string) {
	for _, part := range parts {
		if !slices.Contains(p.parts, part) {
			p.parts = append(p.parts, part)
		}
	}
}

// Isolation lists all that processes which have ended were isolated by, in the
// order in which that was first seen. Of plain ones it is nil.
func (p *Pool) Isolation() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.parts)
}

// limited is the end of an attempt by a limit.
func (r *Result) limited(b *spawn.Breach) {
	r.Outcome, r.Which = Limited, b.Resource
	r.Limit, r.Observed, r.EnforcedBy = b.Limit, b.Observed, b.EnforcedBy
	if r.Evidence = b.Evidence; r.Evidence == "" {
		r.Evidence = "went over its limit of " + b.Resource
	}
}

// amounts lists what is limited.
func amounts(l *spawn.Limits) string {
	var list []string
	for _, of := range []struct {
		resource string
		n        int64
	}{
		{spawn.Memory, l.Memory},
		{spawn.CPU, int64(l.CPU)},
		{spawn.PIDs, int64(l.PIDs)},
		{spawn.Files, int64(l.Files)},
		{spawn.FileSize, l.FileSize},
	} {
		if of.n > 0 {
			list = append(list, of.resource+" "+spawn.Quantity(of.resource, of.n))
		}
	}
	return strings.Join(list, ", ")
}

// outOfMemory is why the kernel has killed a process that was within its limits.
const outOfMemory = "the kernel was out of memory, here or in a control group around this program"

// bySupervisor is who enforces the limit of output, and finds what others had no
// time to see.
const bySupervisor = "supervisor"

// tooMuchOutput is the end of an attempt that has written n bytes of most.
func tooMuchOutput(most, n int64) *spawn.Breach {
	return &spawn.Breach{
		Resource: WhichOutput, Limit: most, Observed: n, EnforcedBy: bySupervisor,
		Evidence: fmt.Sprintf("wrote more than %d bytes", most),
	}
}

// used adds what was measured of a tree.
func (r *Result) used(u *spawn.Usage) {
	if u.CPUSource != "" {
		r.CPU = u.CPU
	}
	if u.PeakSource != "" {
		r.Peak, r.PeakSource = u.Peak, u.PeakSource
	}
}

// bySize is how far a file may grow for the captures of a worker to have half of
// it left for its next job.
func (l *Limits) bySize() int64 {
	if l == nil || l.FileSize == 0 {
		return math.MaxInt64
	}
	return l.FileSize / 2
}

// measure takes what the job has used that was answered, of a worker with limits,
// and finds one that it has run into. It reports whether the worker is to be
// replaced: for that, or because its captures have grown too much. Only the reader
// calls it.
func (w *worker) measure() (replace bool) {
	limits := w.class.prog.Limits
	if limits == nil {
		return false
	}
	if w.marks != nil {
		u, err := w.marks.Measure()
		if err != nil {
			w.p.log.Debug("usage is not known", "worker", w.name, "error", err)
		}
		w.usage = u
	}
	for i := range w.answers {
		ans := &w.answers[i]
		if ans.breach = overUsed(limits, &w.usage); ans.breach == nil {
			ans.breach = w.hitLimit(ans, limits)
		}
		replace = replace || ans.breach != nil
	}
	return replace || max(w.out.size(), w.err.size()) > limits.bySize()
}

// overUsed finds a limit that was exceeded by what a job has used that has answered
// before anybody could look.
func overUsed(limits *Limits, u *spawn.Usage) *spawn.Breach {
	switch {
	case limits.CPU > 0 && u.CPU > limits.CPU:
		return &spawn.Breach{
			Resource: WhichCPU, Limit: int64(limits.CPU), Observed: int64(u.CPU), EnforcedBy: bySupervisor,
			Evidence: "CPU time at its end, from " + u.CPUSource,
		}
	case limits.Memory > 0 && u.Peak > limits.Memory:
		return &spawn.Breach{
			Resource: WhichMemory, Limit: limits.Memory, Observed: u.Peak, EnforcedBy: bySupervisor,
			Evidence: "peak of memory at its end, from " + u.PeakSource,
		}
	}
	return nil
}

// hitLimit finds a limit that the kernel has held with an error number, in what a
// job says that has failed; and output that the monitor has not seen in time.
func (w *worker) hitLimit(ans *answer, limits *Limits) *spawn.Breach {
	if n := w.written(); limits.Output > 0 && n > limits.Output {
		return tooMuchOutput(limits.Output, n)
	}
	if ans.failure == nil || ans.msg.Status != ipc.StatusFailed {
		return nil
	}
	o := Output{file: w.err.f, off: w.err.off.Load(), n: w.err.rest()}
	return death.Limit(limits.enforced(), death.Exits{Code: -1}, ans.failure.Error(), string(o.Tail(inMemory)))
}
