package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// exits runs a command and checks its exit code: exits CODE COMMAND ARG…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	got := 0
	switch {
	case errors.As(err, &ended):
		got = ended.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// wants checks a value in a file of JSON: wants FILE totals.ok 3
func wants(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: wants FILE PATH JSON")
	}
	got, err := json.Marshal(valueIn(ts, args[0], args[1]))
	ts.Check(err)
	if (string(got) == args[2]) == neg {
		ts.Fatalf("%s is %s", args[1], got)
	}
}

// near checks that a number in one file of JSON is at most that in another and
// so much more: near FILE OTHER supervisor.peak_rss_bytes 1000
func near(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: near FILE OTHER PATH MORE")
	}
	a, _ := valueIn(ts, args[0], args[2]).(float64)
	b, _ := valueIn(ts, args[1], args[2]).(float64)
	more, err := strconv.ParseFloat(args[3], 64)
	ts.Check(err)
	ts.Logf("%s: %.0f and %.0f", args[2], a, b)
	if a == 0 || b == 0 || a > b+more {
		ts.Fatalf("%.0f is more than %.0f and %.0f", a, b, more)
	}
}

// valueIn gives what a file of JSON has at a path of names and indexes.
func valueIn(ts *testscript.TestScript, file, path string) (v any) {
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &v))
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			ts.Check(err)
			v = x[i]
		default:
			ts.Fatalf("%s: there is no %s", path, name)
		}
	}
	return v
}

// await waits until a file is there, or holds a text: await FILE [TEXT]
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await FILE [TEXT]")
	}
	path := ts.MkAbs(args[0])
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err == nil && (len(args) == 1 || strings.Contains(string(b), args[1])) {
			return
		}
	}
	ts.Fatalf("%s did not come", strings.Join(args, " "))
}
