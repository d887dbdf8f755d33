package config

import (
	"fmt"
	"sort"
	"strings"
)

// maxErrors bounds how many mistakes of one file are kept, so that a large file
// of the wrong kind does not answer with megabytes.
const maxErrors = 1000

// Error is one mistake in a job file, or one failed expansion of a template in
// it, or in a file of variables. Line and Col count from 1, Col in characters; both
// are 0 where the mistake has no place (the file cannot be read), and Col is where
// the whole line is meant.
type Error struct {
	File      string
	Line, Col int
	Msg       string // what is wrong; one line
	Hint      string // what to write instead; empty where there is nothing to say
	Err       error  // the cause, where callers may act on it; nil otherwise
}

// Error gives the mistake as one line, "FILE:LINE:COL: message (hint)".
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		b.WriteByte(':')
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "%d:", e.Line)
	}
	if e.Col > 0 {
		fmt.Fprintf(&b, "%d:", e.Col)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(e.Msg)
	if e.Hint != "" {
		b.WriteString(" (")
		b.WriteString(e.Hint)
		b.WriteByte(')')
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors is every mistake of one job file in the order of their places.
type Errors []*Error

// Error gives one line for each mistake.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets [errors.Is] and [errors.As] look at each mistake.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

func (es Errors) sort() {
	sort.SliceStable(es, func(i, j int) bool {
		if es[i].Line != es[j].Line {
			return es[i].Line < es[j].Line
		}
		return es[i].Col < es[j].Col
	})
}
