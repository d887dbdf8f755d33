package report

import "time"

// Summary is what a run came to.
type Summary struct {
	Name    string // of the job file
	Run     string // identifies the run
	Command string // the command line that started it; "" = not known

	Exit    int // exit code
	Begin   time.Time
	Wall    time.Duration
	Workers int // slots

	// Totals are the instances by their outcome, in the order to list them. Outcomes
	// that no instance had may be among them.
	Totals      []Count
	NotStarted  int64 // read, and kept from starting by a halt; they have no row
	Retried     int64 // attempts that were followed by another
	Resumed     int64 // instances that an earlier run did
	WorkersLost int64

	Halted string // by what; "" = the run was not halted
	Error  string // why the run never began, or what went wrong with it

	PeakRSS   int64    // of the supervisor, bytes; 0 = not known
	Isolation []string // the effective set
	Leaked    []int    // processes that could not be ended
}

// Count is the number of instances with an outcome.
type Count struct {
	Outcome string
	N       int64
}

// jobs counts the instances that have a row, and those that were ok.
func (s *Summary) jobs() (all, ok int64) {
	for _, c := range s.Totals {
		all += c.N
		if c.Outcome == outcomeOK {
			ok = c.N
		}
	}
	return all, ok
}
