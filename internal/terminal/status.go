package terminal

import "time"

// Status is how far a run is.
type Status struct {
	// Elapsed is for how long the run has gone on.
	Elapsed time.Duration

	// Total is how many instances there will be, -1 while that is not known.
	Total int

	// Done counts the instances that need nothing more: OK, NotOK and Skipped, and
	// Resumed, which were ok in an earlier run.
	Done, OK, NotOK, Skipped, Resumed int

	// Active is how many instances run now.
	Active int

	// Running are the ones that run, the oldest first, as many as were asked for.
	Running []Running

	// Rate is in instances a second, ETA what is left of the run: 0 if they are not
	// known. A Meter gives both.
	Rate float64
	ETA  time.Duration
}

// Running is an instance that runs.
type Running struct {
	Label string    // job and index, such as resize#812
	Item  string    // what it works on, "" if that is nothing
	Since time.Time // when its attempt started
}

// Source says how far a run is.
type Source interface {
	// Status is called up to ten times a second, by one goroutine at a time, and
	// must not block. Up to maxRunning instances are wanted in Running.
	Status(maxRunning int) Status
}
