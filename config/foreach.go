package config

// Source is where the items of a `foreach` come from.
type Source uint8

// The sources of items.
const (
	FromList    Source = iota + 1 // literal values
	FromLines                     // each line of a file
	FromNul                       // NUL-separated records of a file
	FromJSONL                     // each line of a file, a JSON value
	FromGlob                      // paths of files, in byte order
	FromRange                     // integers
	FromCSV                       // each record of a file, a map by the names in its first one
	FromJob                       // the items of the ok instances of another job
	FromLinesOf                   // each line that another job has printed
	FromJSONLOf                   // the same, each a JSON value
)

// String gives the source's key in the file, "list" for literal values.
func (s Source) String() string {
	switch s {
	case FromList:
		return "list"
	case FromLines:
		return "lines"
	case FromNul:
		return "nul"
	case FromJSONL:
		return "jsonl"
	case FromGlob:
		return "glob"
	case FromRange:
		return "range"
	case FromCSV:
		return "csv"
	case FromJob:
		return "from"
	case FromLinesOf:
		return "lines_of"
	case FromJSONLOf:
		return "jsonl_of"
	}
	return "unknown"
}

// StdinPath as the Path of a [Foreach] stands for the supervisor's standard
// input. At most one job of a file has it.
const StdinPath = "-"

// Foreach describes where a job's items come from; reading them is the runner's
// business.
type Foreach struct {
	Pos    Pos
	Source Source

	List     []Value  // FromList; data, never expanded
	Path     string   // FromLines, FromNul, FromCSV, FromJSONL: relative to the file's folder, or StdinPath
	Patterns []string // FromGlob: doublestar patterns relative to the file's folder
	EmptyOK  bool     // FromGlob: no match is no mistake
	Lo, Hi   int64    // FromRange: both ends included, Lo <= Hi
	Of       *Job     // FromJob, FromLinesOf, FromJSONLOf; it is one of the job's Needs

	of needRef // Of before the jobs are known
}

// feeds reports whether the items come from another job.
func (f *Foreach) feeds() bool { return f != nil && f.of.id != "" }

// Count gives how many items there are, where the file alone tells.
func (f *Foreach) Count() (n int64, known bool) {
	switch f.Source {
	case FromList:
		return int64(len(f.List)), true
	case FromRange:
		return f.Hi - f.Lo + 1, true
	}
	return 0, false
}
