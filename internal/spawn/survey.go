package spawn

// Survey is what this machine can do for this user. It is found by trying.
type Survey struct {
	Limits []LimitSurvey // one for each resource, in the order of the constants
	Parts  []Part        // of the levels, in their order
}

// LimitSurvey is how a resource can be limited.
type LimitSurvey struct {
	Resource   string   // Memory, CPU, …
	EnforcedBy string   // what stands behind the limit; "" = it cannot be enforced
	Others     []string // what would, if that were missing
	Why        string   // why it is not enforced by something better, "" = it is the best there is
	Fix        string   // what to do about that, "" = nothing
}

// Part is one thing that keeps a process from others.
type Part struct {
	Level Level  // the lowest that has it
	Name  string // as in Status.Isolation
	OK    bool
	Why   string // why it is missing
	Fix   string // what to do about that
}
