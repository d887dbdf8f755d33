package spawn

import (
	"strconv"
	"time"
)

// Limits bound what a process and its descendants may use: all of them together,
// where nothing else is said. A zero field is no limit. Whoever exceeds one is
// killed with its tree, and Status.Breach says so.
type Limits struct {
	Memory int64         `json:",omitempty"` // resident bytes; swap is not used where that can be forbidden
	CPU    time.Duration `json:",omitempty"` // CPU time since the start, or since Mark
	PIDs   int           `json:",omitempty"` // processes and threads

	// Files are open descriptors of each process. The kernel gives out no more; who has
	// them all at two looks of the watchdog, of which there are ten a second, has exceeded
	// the limit. Who ends before that has failed in its own way.
	Files int `json:",omitempty"`

	// FileSize are bytes of each file that is written to. The kernel sends SIGXFSZ. In a
	// program that ignores it, as those of Go and Python do, the write fails instead, and
	// nobody is told.
	FileSize int64 `json:",omitempty"`
}

// Resources that can be limited, as job files and reports name them.
const (
	Memory   = "memory"
	CPU      = "cpu"
	PIDs     = "pids"
	Files    = "files"
	FileSize = "file_size"
)

// check says what is wrong with the limits of a process that is given files
// descriptors, "" = nothing.
func (l *Limits) check(files int) string {
	if l.Memory < 0 || l.CPU < 0 || l.PIDs < 0 || l.Files < 0 || l.FileSize < 0 {
		return "a limit is negative"
	}
	if n := max(files, 3); l.Files > 0 && l.Files < n {
		return "files: the limit is " + strconv.Itoa(l.Files) + ", the process is given " + strconv.Itoa(n) + " descriptors"
	}
	return ""
}

// Breach is a limit that was exceeded.
type Breach struct {
	Resource string // Memory, CPU, …
	// Limit is what was allowed and Observed what was seen, which may be equal where
	// the kernel let nothing more happen: bytes, a number, or nanoseconds.
	Limit, Observed int64
	EnforcedBy      string // what stands behind the limit, such as "cgroup v2", "cgroup v1", "rlimit", "watchdog"
	Evidence        string // what that was concluded from, for people
}

// Quantity prints a limit, or what was seen of it, in its unit. A resource that is not
// known here is one of bytes.
func Quantity(resource string, n int64) string {
	switch {
	case resource == PIDs || resource == Files:
		return strconv.FormatInt(n, 10)
	case resource == CPU:
		return time.Duration(n).String()
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	case n == 1:
		return "1 byte"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

// Usage is what a tree has used since its start, or since Mark. What is not known
// is zero, and has no source.
type Usage struct {
	CPU        time.Duration `json:",omitempty"`
	CPUSource  string        `json:",omitempty"` // such as "cgroup v2 cpu.stat", "watchdog"
	Peak       int64         `json:",omitempty"` // largest resident memory of the whole tree, in bytes
	PeakSource string        `json:",omitempty"`
}

// Level is how far a process is kept from the others. Each one has all that the
// ones before it have.
type Level uint8

const (
	// Plain is a session of its own, no descriptors but those given, no core dumps.
	Plain Level = iota
	// Namespaces adds user, pid, net, ipc, uts and mount namespaces.
	Namespaces
	// Sandbox adds no_new_privs, Landlock, seccomp, and a user id of its own where
	// the supervisor is root.
	Sandbox
)

// levelNames are those of the job file.
var levelNames = [...]string{"process", "namespaces", "sandbox"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "unknown"
}

// ParseLevel reads the name of a level.
func ParseLevel(s string) (Level, bool) {
	for i, name := range levelNames {
		if s == name {
			return Level(i), true
		}
	}
	return Plain, false
}

// confine is what a start request says beyond a plain process.
type confine struct {
	Limits  Limits `json:",omitzero"`
	Level   Level  `json:",omitempty"`
	Lenient bool   `json:",omitempty"`
	Only    string `json:",omitempty"` // see Options.only
}

// ending is what an end report says beyond a plain process.
type ending struct {
	Breach *Breach  `json:",omitempty"`
	Usage  Usage    `json:",omitzero"`
	OOM    bool     `json:",omitempty"` // see Status.OOM
	Parts  []string `json:",omitempty"` // see Status.Isolation
}
