package spawn

// Survey says what a machine can do for processes, found by trying.
type Survey struct {
	Parts []Part
}

// Part is one way to keep a process from others.
type Part struct {
	Level Level  // the lowest one that it belongs to
	Name  string // as in Status.Isolation
	OK    bool
	Why   string // what failed, if it is not to be had
	Fix   string // how it could be had
}
