package jail

// Part is a set of ways to keep a process from others.
type Part uint16

// The parts, in the order in which they are reported.
const (
	User        Part = 1 << iota // user namespace
	Pid                          // pid namespace
	Net                          // network namespace
	Ipc                          // IPC namespace
	Uts                          // UTS namespace
	Mount                        // mount namespace, and what doc.go says of files
	NoNewPrivs                   // no_new_privs
	NonDumpable                  // nobody may read the process's memory
	Landlock                     // Landlock
	Seccomp                      // seccomp filter
	UID                          // a user id of its own
)

// Namespaces and Sandbox are the parts of these levels. NonDumpable is not among
// them: it is up to the program, see boot.PrivateMarker.
const (
	Namespaces = User | Pid | Net | Ipc | Uts | Mount
	Sandbox    = Namespaces | NoNewPrivs | Landlock | Seccomp | UID
)

var partNames = [...]string{"user", "pid", "net", "ipc", "uts", "mount", "no_new_privs", "non_dumpable", "landlock", "seccomp", "uid"}

// Names lists the parts of a set.
func (p Part) Names() []string {
	var names []string
	for i, name := range partNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Each calls f for each part of a set.
func (p Part) Each(f func(one Part, name string)) {
	for i, name := range partNames {
		if one := Part(1 << i); p&one != 0 {
			f(one, name)
		}
	}
}
