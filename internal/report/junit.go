package report

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// Bounds of texts in a report for build servers, in bytes.
const (
	maxJUnitText = 64 << 10 // evidence, and the end of stderr
	maxJUnitName = 1 << 10
)

// JUnit writes the XML that build servers read: a suite for the run, a case for
// each instance. The suite's head holds counts, so the cases wait in a file without
// a name, and the report is written at Close. Characters that XML cannot hold are
// shown as escapes.
//
// crashed, poisoned, protocol and internal are errors; skipped and cancelled are
// skipped; any other outcome but ok is a failure.
type JUnit struct {
	place                            place
	spool                            *spool
	w                                *bufio.Writer
	cases, failures, errors, skipped int64
	buf                              []byte
	err                              error
}

// OpenJUnit begins a report. What stands at path stays until Close. It fails if the
// report could not be written.
func OpenJUnit(path string) (*JUnit, error) {
	p, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	s, err := p.spool()
	if err != nil {
		return nil, err
	}
	return &JUnit{place: p, spool: s, w: bufio.NewWriterSize(s, 64<<10)}, nil
}

// Add puts a case aside.
func (j *JUnit) Add(r *Row) error {
	if j.err != nil {
		return j.err
	}
	j.cases++
	b := append(j.buf[:0], "    <testcase"...)
	b = appendAttribute(b, "classname", r.Job)
	b = appendAttribute(b, "name", r.caseName())
	b = appendTime(b, r.Wall)
	if r.Outcome == outcomeOK {
		b = append(b, "/>\n"...)
	} else {
		b = append(b, ">\n"...)
		element := "failure"
		switch {
		case r.consequence():
			j.skipped++
			element = "skipped"
		case r.fault():
			j.errors++
			element = "error"
		default:
			j.failures++
		}
		b = append(append(b, "      <"...), element...)
		message := r.end()
		if s := r.why(maxJUnitName); s != "" {
			message += ": " + s
		}
		b = appendAttribute(b, "message", message)
		if element == "skipped" {
			b = append(b, "/>\n"...)
		} else {
			b = appendAttribute(b, "type", r.Outcome)
			b = append(b, '>')
			b = appendVisible(b, r.account(), xmlText)
			b = append(append(append(b, "</"...), element...), ">\n"...)
		}
		if end := tail(r.Stderr, maxJUnitText); len(end) > 0 && element != "skipped" {
			b = append(b, "      <system-err>"...)
			b = appendVisible(b, string(end), xmlText)
			b = append(b, "</system-err>\n"...)
		}
		b = append(b, "    </testcase>\n"...)
	}
	_, err := j.w.Write(b)
	j.err = j.place.fault(err)
	if j.buf = b; cap(b) > maxKept {
		j.buf = nil
	}
	return j.err
}

// caseName gives the label, with what makes the instance differ from others.
func (r *Row) caseName() string {
	if s := r.what(maxJUnitName); s != "" {
		return r.Label + " (" + s + ")"
	}
	return r.Label
}

// account says all there is about a failure but its outputs.
func (r *Row) account() string {
	s := r.Evidence
	if len(s) > maxJUnitText {
		s = s[:maxJUnitText] + "…"
	}
	if s == "" {
		s = r.why(maxJUnitName)
	}
	if r.Attempts > 1 {
		s += fmt.Sprintf("\nattempts: %d", r.Attempts)
	}
	if r.Worker != "" {
		s += "\nworker: " + r.Worker
	}
	if r.Reproduce != "" {
		s += "\nto run it again: " + r.Reproduce
	}
	return s
}

// Close writes the report.
func (j *JUnit) Close(s *Summary) error {
	if j.spool == nil {
		return nil
	}
	spool, err := j.spool, j.err
	j.spool, j.err = nil, ErrClosed
	defer spool.discard()
	if err != nil || s == nil {
		return err
	}
	if err := j.w.Flush(); err != nil {
		return j.place.fault(err)
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return j.place.fault(err)
	}
	return j.place.replace(func(f *os.File) error {
		if _, err := f.Write(j.head(s)); err != nil {
			return err
		}
		if _, err := io.Copy(f, spool); err != nil {
			return err
		}
		_, err := f.WriteString(j.foot(s))
		return err
	})
}

// head gives what stands before the cases.
func (j *JUnit) head(s *Summary) []byte {
	b := []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
	counts := func(element, indent string, skipped bool) {
		b = append(append(append(b, indent...), '<'), element...)
		b = appendAttribute(b, "name", s.Name)
		b = appendAttribute(b, "tests", strconv.FormatInt(j.cases, 10))
		b = appendAttribute(b, "failures", strconv.FormatInt(j.failures, 10))
		b = appendAttribute(b, "errors", strconv.FormatInt(j.errors, 10))
		if skipped {
			b = appendAttribute(b, "skipped", strconv.FormatInt(j.skipped, 10))
			b = appendAttribute(b, "timestamp", s.Begin.UTC().Format("2006-01-02T15:04:05"))
		}
		b = append(appendTime(b, s.Wall), ">\n"...)
	}
	counts("testsuites", "", false)
	counts("testsuite", "  ", true)
	b = append(b, "    <properties>\n"...)
	for _, p := range [...][2]string{
		{"run", s.Run},
		{"exit_code", strconv.Itoa(s.Exit)},
		{"workers", strconv.Itoa(s.Workers)},
		{"not_started", strconv.FormatInt(s.NotStarted, 10)},
		{"retried", strconv.FormatInt(s.Retried, 10)},
		{"resumed", strconv.FormatInt(s.Resumed, 10)},
		{"workers_lost", strconv.FormatInt(s.WorkersLost, 10)},
		{"halted", s.Halted},
		{"error", s.Error},
	} {
		if p[1] == "" {
			continue
		}
		b = append(b, "      <property"...)
		b = appendAttribute(b, "name", p[0])
		b = append(appendAttribute(b, "value", p[1]), "/>\n"...)
	}
	return append(b, "    </properties>\n"...)
}

// foot gives what stands behind them.
func (j *JUnit) foot(s *Summary) string {
	err := ""
	if s.Error != "" {
		err = "    <system-err>" + string(appendVisible(nil, s.Error, xmlText)) + "</system-err>\n"
	}
	return err + "  </testsuite>\n</testsuites>\n"
}

func appendAttribute(b []byte, name, value string) []byte {
	b = append(append(append(b, ' '), name...), `="`...)
	return append(appendVisible(b, value, xmlAttribute), '"')
}

// appendTime appends the attribute of a duration, in seconds.
func appendTime(b []byte, d time.Duration) []byte {
	b = append(b, ` time="`...)
	b = strconv.AppendFloat(b, d.Seconds(), 'f', 6, 64)
	return append(b, '"')
}
