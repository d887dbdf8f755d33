package spawn

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// TreeMarker is the environment variable that Start adds to every child on
// Linux. Its
// value, <nonce>.<n>, names the child among all that this guardian starts, and
// is inherited by the child's descendants; below another guardian's child it is
// appended to that one's value with a slash.
const TreeMarker = "MULTIPROC_TREE"

// maxFiles is what one message can carry (SCM_MAX_FD of Linux).
const maxFiles = 253

// Options configure a guardian. The zero value works for a program whose main
// calls GuardMain.
type Options struct {
	// Path is the program that is executed as the guardian; "" is this
	// program. Args is its argument vector with the program's name first; nil
	// is that name and "guard".
	Path string
	Args []string

	// Exclusive says that this process starts no children but through one or
	// more Guardians. If a guardian dies, its children then become this
	// process's children, and everything found among them is killed. Without
	// it, only processes that carry the guardian's TreeMarker, or belong to the
	// session of a child it started, are: a descendant that left its session
	// and cleared its environment too would survive the guardian's death.
	// Linux only.
	Exclusive bool

	// Hold are files that the guardian keeps open for as long as it lives, which may
	// be a moment longer than this process: a lock on one of them (flock) is then
	// held until nothing is left of what this process has started. At most 8. Linux
	// only; the files stay the caller's.
	Hold []*os.File

	// Records is a folder of this user alone, such as one in $XDG_RUNTIME_DIR, in which
	// programs keep a record of their guardians; "" is none. It is for the case that
	// program and guardian are killed at the same instant, and processes that had left
	// their session live on: Open, the loss of a guardian, and Close look for records
	// that nobody holds, and kill, in 5 s at most, what carries their TreeMarker, or is
	// in a cgroup named after them. The folder is made if need be, and removed with its
	// last record. One that belongs to somebody else, or may be read by others, is not
	// used, which Logger is told. Linux only.
	Records string

	// Logger is told about the loss of a guardian and about Records, with alternating keys and
	// values. nil discards. It must not call methods of the Guardian.
	Logger func(msg string, kv ...any)
}

func (o *Options) log(msg string, kv ...any) {
	if o.Logger != nil {
		o.Logger(msg, kv...)
	}
}

// Spec describes a process to start. It may be reused once Start has returned.
type Spec struct {
	Path string   // the program; it is not searched for in PATH
	Argv []string // its arguments, the name first; nil is {Path}
	Env  []string // its whole environment, "key=value"; on Linux, TreeMarker is added
	Dir  string   // its working directory; "" is the directory in which the guardian was started

	// Files are its descriptors 0, 1, 2, …; nil entries, and those of 0 to 2
	// that are missing, are the null device. The process has no others. At most
	// 253. The files are put into blocking mode, which for the read end of a
	// pipe that this process itself reads from is undone by nobody: pass the
	// other end. They stay open in this process; closing them is the caller's.
	Files []*os.File

	// Limits are in force before the program runs; nil is none. Level is how far it is
	// kept from other processes. What this machine cannot do makes Start fail; with
	// Lenient, parts of the level that it has not are left out, and Status.Isolation
	// tells those that are there. Linux only.
	Limits  *Limits
	Level   Level
	Lenient bool

	// Brief says that the process may well end at once: Start returns when it
	// has ended, or has run for 3 ms. It saves the caller a wake-up. Linux only.
	Brief bool
}

func (s *Spec) argv() []string {
	if len(s.Argv) == 0 {
		return []string{s.Path}
	}
	return s.Argv
}

// check finds what the system would refuse with a less helpful error.
func (s *Spec) check() *StartError {
	if s.Path == "" {
		return &StartError{Path: s.Path, Op: "exec", Detail: "path is empty", Err: syscall.ENOENT}
	}
	if s.Level > Sandbox {
		return &StartError{Path: s.Path, Op: "confine", Detail: "level " + strconv.Itoa(int(s.Level)), Err: syscall.EINVAL}
	}
	if len(s.Files) > maxFiles {
		return &StartError{Path: s.Path, Op: "pass", Detail: strconv.Itoa(len(s.Files)) + " descriptors, at most 253", Err: syscall.EINVAL}
	}
	nul := func(what string) *StartError {
		return &StartError{Path: s.Path, Op: "exec", Detail: what + " contains a NUL byte", Err: syscall.EINVAL}
	}
	if strings.IndexByte(s.Path, 0) >= 0 {
		return nul("path")
	}
	if strings.IndexByte(s.Dir, 0) >= 0 {
		return nul("working directory")
	}
	for i, a := range s.Argv {
		if strings.IndexByte(a, 0) >= 0 {
			return nul("argument " + strconv.Itoa(i))
		}
	}
	for _, kv := range s.Env {
		if strings.IndexByte(kv, 0) >= 0 {
			name, _, _ := strings.Cut(kv, "=")
			return nul("environment variable " + strconv.Quote(name))
		}
	}
	return nil
}

// sizes tells what an E2BIG is about.
func (s *Spec) sizes() string {
	argv, env, longest, what := 0, 0, -1, ""
	for i, a := range s.argv() {
		argv += len(a) + 1
		if len(a) > longest {
			longest, what = len(a), "argument "+strconv.Itoa(i)
		}
	}
	for _, kv := range s.Env {
		env += len(kv) + 1
		if name, value, _ := strings.Cut(kv, "="); len(value) > longest {
			longest, what = len(value), "environment variable "+name
		}
	}
	return strconv.Itoa(argv) + " bytes of arguments, " + strconv.Itoa(env) + " of environment; " +
		what + " is the longest with " + strconv.Itoa(longest)
}
