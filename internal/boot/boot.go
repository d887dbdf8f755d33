package boot

import "syscall"

// Values of Role.
const (
	Program = ""       // not started by a supervisor
	Worker  = "worker" // serves a link on In and Out
	Guard   = "guard"  // the parent of a supervisor's children
	Jail    = "jail"   // becomes, or starts, a program that is kept from others
)

// Environment variables that give a process its role, and tell a worker who has
// started it. All are removed from the environment as soon as they were read.
const (
	WorkerMarker = "MULTIPROC_WORKER"
	GuardMarker  = "MULTIPROC_GUARD"
	JailMarker   = "MULTIPROC_JAIL"
	OriginMarker = "MULTIPROC_ORIGIN"

	// PrivateMarker asks a worker to keep its memory from all other processes. It is
	// for the worker to do: what a starter sets of this kind does not survive exec.
	PrivateMarker = "MULTIPROC_PRIVATE"
)

var (
	// Role is what this process was started as.
	Role = Program

	// In and Out are a worker's link: frames from and to the supervisor.
	// They are close-on-exec and at least 10. -1 in any other role.
	In, Out = -1, -1

	// Page is a worker's shared page, -1 when none was offered.
	Page = -1

	// Origin is what a worker's supervisor says of itself, in a form that package
	// child knows. "" in any other role.
	Origin string

	// Control and Parent are a guardian's control socket and the pidfd of its
	// supervisor; Control is also a jail stub's socket. -1 in any other role.
	Control, Parent = -1, -1

	// Record and Folder are the file that a guardian holds for its supervisor, and
	// the folder in which it is. -1 when there is none.
	Record, Folder = -1, -1

	// Err says why a process that carries a marker cannot fill its role: the
	// marker is malformed, or a descriptor it names is not open. The
	// descriptors of the role are then not to be used.
	Err error
)

// markerError is a marker that does not parse. It exists because package
// errors is not a dependency worth having this early.
type markerError struct{ name, value string }

func (e *markerError) Error() string {
	return "environment variable " + e.name + " is malformed: \"" + e.value + "\""
}

func init() {
	if v, ok := syscall.Getenv(GuardMarker); ok {
		Role = Guard
		clearMarkers()
		fields, ok := parse(v)
		if !ok || fields.ctl < 0 || fields.parent < 0 {
			Err = &markerError{GuardMarker, v}
			return
		}
		Control, Parent, Record, Folder = fields.ctl, fields.parent, fields.record, fields.folder
		Err = adopt(Control, Parent, Record, Folder)
		return
	}
	if v, ok := syscall.Getenv(JailMarker); ok {
		Role = Jail
		clearMarkers()
		fields, ok := parse(v)
		if !ok || fields.ctl < 0 {
			Err = &markerError{JailMarker, v}
			return
		}
		Control = fields.ctl
		Err = adopt(Control)
		return
	}
	if v, ok := syscall.Getenv(WorkerMarker); ok {
		Role = Worker
		Origin, _ = syscall.Getenv(OriginMarker)
		_, private := syscall.Getenv(PrivateMarker)
		clearMarkers()
		fields, ok := parse(v)
		if !ok {
			Err = &markerError{WorkerMarker, v}
			return
		}
		if private {
			if Err = hide(); Err != nil {
				return
			}
		}
		Err = divert(fields.out, fields.page)
	}
}

func clearMarkers() {
	// The only errors are about the name, which is a valid constant.
	_ = syscall.Unsetenv(WorkerMarker)
	_ = syscall.Unsetenv(GuardMarker)
	_ = syscall.Unsetenv(JailMarker)
	_ = syscall.Unsetenv(OriginMarker)
	_ = syscall.Unsetenv(PrivateMarker)
}

// marker is a parsed marker; -1 stands for a key that is absent.
type marker struct{ out, page, ctl, parent, record, folder int }

// parse reads "key=number key=number". Keys it does not know are skipped, so
// that a newer supervisor can offer more to an older program.
func parse(s string) (m marker, ok bool) {
	m = marker{-1, -1, -1, -1, -1, -1}
	for i := 0; i < len(s); {
		if s[i] == ' ' {
			i++
			continue
		}
		start := i
		for i < len(s) && s[i] != '=' && s[i] != ' ' {
			i++
		}
		key := s[start:i]
		if i == len(s) || s[i] != '=' || key == "" {
			return m, false
		}
		i++
		start = i
		value := 0
		for ; i < len(s) && s[i] != ' '; i++ {
			if s[i] < '0' || s[i] > '9' || i-start >= 6 {
				return m, false
			}
			value = value*10 + int(s[i]-'0')
		}
		if i == start {
			return m, false
		}
		switch key {
		case "out":
			m.out = value
		case "page":
			m.page = value
		case "ctl":
			m.ctl = value
		case "parent":
			m.parent = value
		case "record":
			m.record = value
		case "folder":
			m.folder = value
		}
	}
	return m, true
}
