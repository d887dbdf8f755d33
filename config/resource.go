package config

import "time"

// Resource is something of which the instances of a run share a fixed number.
type Resource struct {
	Pos   Pos
	Name  string
	IDs   []Value // what the units are called; "0", "1", … where the file gives a number
	Count int     // of units, at least 1
}

// Use is how many units of a resource an attempt holds.
type Use struct {
	Resource *Resource
	Count    int // at least 1, at most the resource's
}

// Memory and slots are resources that every run has.
const (
	UseSlots  = "slots"
	UseMemory = "memory"
)

// Rate bounds how often attempts of a job start.
type Rate struct {
	Count int           // starts
	Per   time.Duration // in so much time; 0: no bound
}

// When says what must have become of a job's needs for it to run.
type When uint8

// The conditions of when.
const (
	WhenOK     When = iota // all were ok, or let it pass
	WhenFailed             // one was not ok
	WhenAlways             // they have ended
)

// String gives the condition as in the file.
func (w When) String() string { return [...]string{"ok", "failed", "always"}[w] }

// Chunk is how many items one instance takes. The zero value is one, as `item`;
// otherwise they are `items`, however many there are.
type Chunk struct {
	Size int  // at most; 0: not given
	Auto bool // as many as keep an instance busy for a while, and fit
}

// Given reports whether the job takes items by chunks.
func (c Chunk) Given() bool { return c.Auto || c.Size > 0 }
