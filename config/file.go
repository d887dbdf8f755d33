package config

import (
	_ "embed"
	"time"
)

// Schema is the JSON Schema (2020-12) of the job file, for editors.
//
//go:embed schema.json
var Schema []byte

// KillAfter is the time between TERM and KILL when the file does not say.
const KillAfter = 5 * time.Second

// Pos is a place in the job file. Both count from 1.
type Pos struct{ Line, Col int }

// File is a job file that was found to be right.
type File struct {
	Path string // as given to Load or Parse
	Dir  string // folder of Path; what relative paths in the file are relative to
	Name string // `name`; the file's base name without its extension if absent

	Vars       []Field       // `vars`, in file order
	Env        []EnvVar      // top-level `env`; already merged into every job's
	InheritEnv *InheritEnv   // nil: not given
	Workers    int           // 0: not given
	Worker     *Worker       // nil: the stock worker
	Resources  []*Resource   // `resources`, in file order
	Memory     int64         // bytes that attempts may be expected to take together; 0: the machine's
	Queues     []*Queue      // `queues`, in file order; nil: not given
	Locks      []*Lock       // `locks`, in file order; nil: not given
	Deadline   time.Duration // of the whole run; 0: none
	Halt       Halt          // zero: never
	Output     string        // an Output… constant; "": not given

	Jobs   []*Job   // in file order
	Levels [][]*Job // topological levels of `needs`, each in file order
}

// Output modes that a file or a flag may ask for.
const (
	OutputGroup = "group" // each instance's whole, when it has ended
	OutputLive  = "live"  // line by line as it comes, tagged
	OutputOrder = "order" // whole, in the order of levels, the file and the index
	OutputNone  = "none"
)
