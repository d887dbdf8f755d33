package report

import (
	"errors"
	"fmt"
	"path/filepath"
)

// A Sink takes the end of each instance, and in the end that of the run. Its
// methods must not be called concurrently.
//
// After an error of Add the sink takes nothing more: further calls return the same
// error at once. Errors name the file.
type Sink interface {
	// Add takes a row, of which nothing is kept: the caller may use it again. It
	// blocks on the file, which may be a pipe.
	Add(r *Row) error
	// Close completes the file. Without it there is no file, but for those that are
	// written as rows come. s may be nil: then what was begun is given up. A second
	// Close does nothing and returns nil.
	Close(s *Summary) error
}

// ErrClosed is returned by Add after Close.
var ErrClosed = errors.New("report is closed")

// OpenResults begins a file of results, a row for each instance: .jsonl or .csv.
// It blocks while path is a pipe that nobody reads.
func OpenResults(path string) (Sink, error) {
	switch ext := filepath.Ext(path); ext {
	case ".jsonl":
		return OpenJSONL(path)
	case ".csv":
		return OpenCSV(path)
	}
	return nil, fmt.Errorf("%s: results are written as .jsonl or .csv", path)
}
