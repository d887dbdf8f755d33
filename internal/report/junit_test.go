package report

import (
	"encoding/xml"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/feac4032/multiproc/config"
)

// suites is what build servers read. An element or attribute that it does not name
// fails the test.
type suites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Time     float64    `xml:"time,attr"`
	Suites   []suite    `xml:"testsuite"`
	Rest     []anything `xml:",any"`
	Attrs    []xml.Attr `xml:",any,attr"`
}

type suite struct {
	Name       string     `xml:"name,attr"`
	Tests      int        `xml:"tests,attr"`
	Failures   int        `xml:"failures,attr"`
	Errors     int        `xml:"errors,attr"`
	Skipped    int        `xml:"skipped,attr"`
	Timestamp  string     `xml:"timestamp,attr"`
	Time       float64    `xml:"time,attr"`
	Properties []property `xml:"properties>property"`
	Cases      []testcase `xml:"testcase"`
	Err        string     `xml:"system-err"`
	Rest       []anything `xml:",any"`
	Attrs      []xml.Attr `xml:",any,attr"`
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type testcase struct {
	Class   string     `xml:"classname,attr"`
	Name    string     `xml:"name,attr"`
	Time    float64    `xml:"time,attr"`
	Failure *verdict   `xml:"failure"`
	Error   *verdict   `xml:"error"`
	Skipped *verdict   `xml:"skipped"`
	Err     string     `xml:"system-err"`
	Rest    []anything `xml:",any"`
	Attrs   []xml.Attr `xml:",any,attr"`
}

type verdict struct {
	Message string     `xml:"message,attr"`
	Type    string     `xml:"type,attr"`
	Text    string     `xml:",chardata"`
	Rest    []anything `xml:",any"`
}

type anything struct{ XMLName xml.Name }

// parseJUnit reads a report, and checks what holds for each.
func parseJUnit(t *testing.T, b string) suite {
	t.Helper()
	if !utf8.ValidString(b) {
		t.Fatalf("the report is not UTF-8: %q", b)
	}
	dec := xml.NewDecoder(strings.NewReader(b))
	var got suites
	if err := dec.Decode(&got); err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	if rest := b[dec.InputOffset():]; rest != "\n" {
		t.Errorf("behind the report: %q", rest)
	}
	if len(got.Suites) != 1 {
		t.Fatalf("%d suites", len(got.Suites))
	}
	s := got.Suites[0]
	rest := append(got.Rest, s.Rest...)
	attrs := append(got.Attrs, s.Attrs...)
	var failures, faults, skipped int
	for _, c := range s.Cases {
		rest, attrs = append(rest, c.Rest...), append(attrs, c.Attrs...)
		verdicts := 0
		for v, n := range map[*verdict]*int{c.Failure: &failures, c.Error: &faults, c.Skipped: &skipped} {
			if v != nil {
				*n++
				verdicts++
				rest = append(rest, v.Rest...)
				if v.Message == "" {
					t.Errorf("%s has no message", c.Name)
				}
			}
		}
		if verdicts > 1 || c.Class == "" || c.Name == "" {
			t.Errorf("%+v", c)
		}
	}
	if len(rest) > 0 || len(attrs) > 0 {
		t.Errorf("unknown: %v %v", rest, attrs)
	}
	if s.Tests != len(s.Cases) || s.Failures != failures || s.Errors != faults || s.Skipped != skipped {
		t.Errorf("%d cases, %d failures, %d errors, %d skipped, but the suite says %+v", len(s.Cases), failures, faults, skipped, s)
	}
	if got.Tests != s.Tests || got.Failures != s.Failures || got.Errors != s.Errors || got.Name != s.Name || got.Time != s.Time {
		t.Errorf("the suites say %+v", got)
	}
	if _, err := time.Parse("2006-01-02T15:04:05", s.Timestamp); err != nil {
		t.Error(err)
	}
	return s
}

func TestJUnit_HasACaseForEachInstance(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.xml")
	j, err := OpenJUnit(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := []*Row{
		{Job: "a", Label: "a#0", Outcome: "ok", Wall: 1234567 * time.Microsecond, HasItem: true, Item: config.String(`<&"'>`)},
		{
			Job: "a", Label: "a#1", Outcome: "failed", ExitCode: 3, Attempts: 2, Worker: "worker-1", Evidence: "exit code 3",
			Stderr: output("line\x1b[31m\r\n\xff ]]> \ufffe\u202e end"), Reproduce: "supervisor run -only a#1 job.yaml",
			Matrix: []config.Field{{Name: "k", Value: config.String("v\n\x00")}},
		},
		{Job: "b", Label: "b", Outcome: "limit", Which: "memory", Limit: 100, Observed: 120, ExitCode: -1},
		{Job: "c", Label: "c#0", Outcome: "skipped", Evidence: "b was not ok", ExitCode: -1},
		{Job: "c", Label: "c#1", Outcome: "cancelled", ExitCode: -1, Stderr: output("not shown")},
	}
	for _, o := range []string{"crashed", "poisoned", "protocol", "internal"} {
		rows = append(rows, &Row{Job: o, Label: o, Outcome: o, ExitCode: -1, Signal: 11, SignalName: "SIGSEGV"})
	}
	s := parseJUnit(t, finish(t, j, path, &Summary{
		Name: "a <run>", Run: "r1", Exit: 5, Begin: begin, Wall: 2 * time.Second, Workers: 4, Error: "disk\x07 full",
	}, rows...))
	if s.Name != "a <run>" || s.Tests != 9 || s.Failures != 2 || s.Errors != 4 || s.Skipped != 2 || s.Time != 2 ||
		s.Timestamp != "2026-03-14T09:26:53" || s.Err != `disk\x07 full` {
		t.Errorf("%+v", s)
	}
	for i, want := range []testcase{
		{Class: "a", Name: `a#0 (<&"'>)`, Time: 1.234567},
		{
			Class: "a", Name: `a#1 (k=v\x0a\x00)`, Err: "line\\x1b[31m\n\\xff ]]> \\xef\\xbf\\xbe\\xe2\\x80\\xae end",
			Failure: &verdict{
				Message: "failed: exit code 3", Type: "failed",
				Text: "exit code 3\nattempts: 2\nworker: worker-1\nto run it again: supervisor run -only a#1 job.yaml",
			},
		},
		{Class: "b", Name: "b", Failure: &verdict{Message: "limit (memory): observed 120 B, limit 100 B", Type: "limit", Text: "observed 120 B, limit 100 B"}},
		{Class: "c", Name: "c#0", Skipped: &verdict{Message: "skipped: b was not ok"}},
		{Class: "c", Name: "c#1", Skipped: &verdict{Message: "cancelled"}},
		{Class: "crashed", Name: "crashed", Error: &verdict{Message: "crashed: SIGSEGV", Type: "crashed", Text: "SIGSEGV"}},
	} {
		got := s.Cases[i]
		same := func(a, b *verdict) bool {
			return a == b || a != nil && b != nil && a.Message == b.Message && a.Type == b.Type && a.Text == b.Text
		}
		if got.Class != want.Class || got.Name != want.Name || got.Time != want.Time || got.Err != want.Err ||
			!same(got.Failure, want.Failure) || !same(got.Error, want.Error) || !same(got.Skipped, want.Skipped) {
			t.Errorf("case %d: %+v %+v, want %+v %+v", i, got, got.Failure, want, want.Failure)
		}
	}
	props := map[string]string{}
	for _, p := range s.Properties {
		props[p.Name] = p.Value
	}
	if props["run"] != "r1" || props["exit_code"] != "5" || props["workers"] != "4" || props["error"] != `disk\x07 full` {
		t.Errorf("%v", props)
	}
}

func TestJUnit_BoundsTexts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.xml")
	j, err := OpenJUnit(path)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 10<<20)
	b := finish(t, j, path, &Summary{}, &Row{
		Job: "a", Label: "a", Outcome: "failed", Evidence: long, Stderr: output(long), HasItem: true, Item: config.String(long),
	})
	parseJUnit(t, b)
	if len(b) > 150_000 {
		t.Errorf("a report of %s bytes", strconv.Itoa(len(b)))
	}
}

func FuzzJUnit(f *testing.F) {
	f.Add("]]>", "\x00\xff\ufffe", "&#0;")
	f.Fuzz(func(t *testing.T, item, evidence, stderr string) {
		path := filepath.Join(t.TempDir(), "r.xml")
		j, err := OpenJUnit(path)
		if err != nil {
			t.Fatal(err)
		}
		parseJUnit(t, finish(t, j, path, &Summary{Halted: stderr, Begin: begin}, &Row{
			Job: "a", Label: "a#0", Outcome: "failed", Evidence: evidence, Stderr: output(stderr), HasItem: true, Item: config.String(item),
		}))
	})
}
