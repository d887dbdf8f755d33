package death

import (
	"strings"
	"syscall"

	"github.com/feac4032/multiproc/internal/spawn"
)

// rlimit is what enforces a limit that the kernel answers with an error number.
const rlimit = "rlimit"

// signs of a limit in what a program says, in lower case.
var signs = []struct {
	resource string
	text     []string
	near     []string // and one of these in the same line, or shortly before; nil = nothing
}{
	{spawn.Memory, []string{
		"runtime: out of memory", "cannot allocate memory", "memoryerror", "std::bad_alloc", "memory exhausted",
		"failed to reserve page summary memory", "cannot allocate heap metadata", "errno 12]",
	}, nil},
	{spawn.Files, []string{"too many open files", "emfile", "errno 24]"}, nil},
	{spawn.FileSize, []string{"file too large", "file size limit exceeded", "efbig", "errno 27]"}, nil},
	{spawn.PIDs, []string{"cannot fork", "can't start new thread", "failed to create new os thread"}, nil},
	{
		spawn.PIDs,
		[]string{"resource temporarily unavailable", "eagain", "errno 11]", "errno=11"},
		[]string{"fork", "clone", "thread", "spawn", "popen"},
	},
}

// nearby is how many lines before a sign are looked at for what it is about.
const nearby = 6

// Exits are how a process ended: its exit code, −1 for none, and the signal.
type Exits struct {
	Code   int
	Signal syscall.Signal
}

// Limit finds a limit that was set, and for which nobody has killed the process,
// but that the kernel has held with a signal or an error number: the attempt has
// failed, and says so in one of texts, its stderr or the error of its task. Nil is
// none. What is observed is the limit itself: nothing more has happened.
func Limit(set *spawn.Limits, how Exits, texts ...string) *spawn.Breach {
	if set == nil {
		return nil
	}
	// A shell makes 128 and the signal of what it has run its own exit code. SIGXCPU is
	// no evidence: a program may have set a limit of its own, and package spawn knows
	// what CPU time was used.
	n := set.FileSize
	switch {
	case n == 0 || xfsz == 0:
	case how.Signal == xfsz:
		return &spawn.Breach{Resource: spawn.FileSize, Limit: n, Observed: n, EnforcedBy: rlimit, Evidence: "ended by SIGXFSZ"}
	case how.Code == 128+int(xfsz):
		return &spawn.Breach{Resource: spawn.FileSize, Limit: n, Observed: n, EnforcedBy: rlimit, Evidence: "exit code of a shell for SIGXFSZ"}
	}
	for _, text := range texts {
		lines := strings.Split(text, "\n")
		for i := len(lines) - 1; i >= 0; i-- {
			if b := sign(set, lines, i); b != nil {
				return b
			}
		}
	}
	return nil
}

// sign looks for a limit in a line.
func sign(set *spawn.Limits, lines []string, i int) *spawn.Breach {
	line := strings.ToLower(lines[i])
	for _, s := range signs {
		n := allowed(set, s.resource)
		if n == 0 || !containsAny(line, s.text) {
			continue
		}
		about := s.near == nil || containsAny(line, s.near)
		for k := i - 1; !about && k >= max(0, i-nearby); k-- {
			about = containsAny(strings.ToLower(lines[k]), s.near)
		}
		if about {
			return &spawn.Breach{
				Resource: s.resource, Limit: n, Observed: n, EnforcedBy: rlimit,
				Evidence: "it said: " + Printable(strings.TrimSpace(lines[i])),
			}
		}
	}
	return nil
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// allowed is the limit of a resource in the unit of a Breach, 0 = none is set.
func allowed(l *spawn.Limits, resource string) int64 {
	switch resource {
	case spawn.Memory:
		return l.Memory
	case spawn.PIDs:
		return int64(l.PIDs)
	case spawn.Files:
		return int64(l.Files)
	}
	return l.FileSize
}
