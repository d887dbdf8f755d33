package batch

// Exit codes of a run. Of several that apply the first of 128+n, 5, 4, 2, 3 and 1
// is given.
const (
	ExitOK       = 0
	ExitNotOK    = 1 // some instance was not ok
	ExitUsage    = 2 // the file asks for something that is not there
	ExitHalted   = 3 // by policy, deadline or restart limit
	ExitConfine  = 4 // a limit or an isolation that is required is not available here
	ExitInUse    = 6 // the run that is to be resumed is under way
	ExitInternal = 5 // our fault, or output was lost, or a process was left behind
	ExitSignal   = 128
)

// ending is what decides the exit code.
type ending struct {
	signal   int    // the first that ended the run, 0 = none
	internal bool   // an instance was
	lost     string // the output that could not be written
	leaked   bool
	unfit    bool // an instance needed a limit or an isolation that is not available
	usage    bool
	halted   string // by what
	success  bool   // halted because enough was ok
	notOK    bool
}

func (e *ending) code() int {
	switch {
	case e.signal > 0:
		return ExitSignal + e.signal
	case e.internal || e.lost != "" || e.leaked:
		return ExitInternal
	case e.unfit:
		return ExitConfine
	case e.usage:
		return ExitUsage
	case e.halted != "" && !e.success:
		return ExitHalted
	case e.success:
		return ExitOK
	case e.notOK:
		return ExitNotOK
	}
	return ExitOK
}
