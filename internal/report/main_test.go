package report

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// begin is when the runs of the tests began.
var begin = time.Date(2026, 3, 14, 9, 26, 53, 589793000, time.UTC)

// output is what an attempt wrote.
type output string

func (o output) Len() int64 { return int64(len(o)) }
func (o output) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(o))
	return int64(n), err
}
func (o output) Tail(limit int) []byte { return []byte(o[max(0, len(o)-limit):]) }

// result encodes a task's result.
func result(t testing.TB, v any) []byte {
	t.Helper()
	b, err := task.Encode(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// item reads an item as a line of a jsonl source is read.
func item(t testing.TB, json string) config.Value {
	t.Helper()
	v, err := config.ParseJSON([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// finish gives a sink its rows, closes it, and reads the file.
func finish(t *testing.T, s Sink, path string, sum *Summary, rows ...*Row) string {
	t.Helper()
	for _, r := range rows {
		if err := s.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(sum); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(sum); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	alone(t, path)
	return string(b)
}

// alone fails the test if anything was left beside path.
func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names bytes.Buffer
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			names.WriteString(" " + e.Name())
		}
	}
	if names.Len() > 0 {
		t.Errorf("left beside %s:%s", filepath.Base(path), &names)
	}
}

// opens are all sinks that are one file, by the name of theirs.
var opens = map[string]func(path string) (Sink, error){
	"r.jsonl": OpenResults,
	"r.csv":   OpenResults,
	"r.xml":   func(path string) (Sink, error) { return OpenJUnit(path) },
	"r.html":  func(path string) (Sink, error) { return OpenHTML(path, begin) },
	"r.json":  func(path string) (Sink, error) { return OpenTrace(path, "run", begin) },
}
