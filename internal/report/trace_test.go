package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
)

// traceEvent is an event as its readers see it.
type traceEvent struct {
	Name string         `json:"name"`
	Ph   string         `json:"ph"`
	PID  int            `json:"pid"`
	TID  int            `json:"tid"`
	TS   *float64       `json:"ts"`
	Dur  *float64       `json:"dur"`
	S    string         `json:"s"`
	Args map[string]any `json:"args"`
}

func attempt(slot int, label string, from, to time.Duration) *Row {
	return &Row{
		Job: "a", Label: label, Outcome: "ok", Attempts: 1, Slot: slot, ExitCode: -1, PID: 7, Worker: "worker-1",
		Start: begin.Add(from), Wall: to - from,
	}
}

func TestTrace_HasALaneForEachSlot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.json")
	w, err := OpenTrace(path, "a \"run\"", begin)
	if err != nil {
		t.Fatal(err)
	}
	first := attempt(2, "a#0", 0, 1500*time.Microsecond)
	first.Outcome, first.Evidence, first.ExitCode = "failed", "exit code 3\n\x1b[31m", 3
	first.HasItem, first.Item = true, config.String("\xff.jpg")
	if err := w.Attempt(first); err != nil {
		t.Fatal(err)
	}
	again := attempt(2, "a#0", 2*time.Millisecond, 3*time.Millisecond)
	again.Attempts = 2
	skipped := &Row{Job: "b", Label: "b", Outcome: "skipped", ExitCode: -1}
	death := &Death{Time: begin.Add(4 * time.Millisecond), Slot: 3, Worker: "worker-1", PID: 7, Evidence: "SIGSEGV", Under: "a#0"}
	for _, d := range []*Death{death, {Time: begin, Worker: "worker-9"}} {
		if err := w.Died(d); err != nil {
			t.Fatal(err)
		}
	}
	var events []traceEvent
	if err := json.Unmarshal([]byte(finish(t, w, path, nil, again, skipped)), &events); err != nil {
		t.Fatal(err)
	}
	lanes := map[string]int{}
	var got []string
	for _, e := range events {
		if e.PID != 1 {
			t.Errorf("%+v is of another process", e)
		}
		switch e.Ph {
		case "M":
			lanes[e.Args["name"].(string)] = e.TID
		case "X":
			got = append(got, fmt.Sprint(e.Name, " ", e.TID == lanes["slot 2"], " ", *e.TS, "+", *e.Dur, " ", e.Args["outcome"], " ", e.Args["attempt"], " ", e.Args["item"], " ", e.Args["evidence"]))
		case "i":
			got = append(got, fmt.Sprint(e.Name, " ", e.S, " ", e.TID == lanes["slot 3"], " ", *e.TS, " ", e.Args["evidence"], " ", e.Args["under"]))
		}
	}
	want := []string{
		`a#0 true 0+1500 failed 1 \xff.jpg exit code 3\x0a\x1b[31m`,
		"worker-1 died t true 4000 SIGSEGV a#0",
		"worker-9 died p false 0 <nil> <nil>",
		"a#0 true 2000+1000 ok 2 <nil> <nil>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	if _, ok := lanes["a \"run\""]; !ok {
		t.Errorf("lanes %v", lanes)
	}
}

func TestTrace_LaysAttemptsThatOverlapIntoLanesOfTheirOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.json")
	w, err := OpenTrace(path, "r", begin)
	if err != nil {
		t.Fatal(err)
	}
	var rows []*Row
	for i := range 200 { // each of 1 s, 4 at a time, on one slot
		from := time.Duration(i) * 250 * time.Millisecond
		rows = append(rows, attempt(1, fmt.Sprint("a#", i), from, from+time.Second))
	}
	var events []traceEvent
	if err := json.Unmarshal([]byte(finish(t, w, path, nil, rows...)), &events); err != nil {
		t.Fatal(err)
	}
	end := map[int]float64{}
	for _, e := range events {
		if e.Ph != "X" {
			continue
		}
		if *e.TS < end[e.TID] {
			t.Errorf("%s begins at %v in a lane that is taken up to %v", e.Name, *e.TS, end[e.TID])
		}
		end[e.TID] = *e.TS + *e.Dur
	}
	if len(end) != 4 {
		t.Errorf("%d lanes, want 4", len(end))
	}
}

func TestTrace_OfAKilledRunLacksOnlyItsEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.json")
	w, err := OpenTrace(path, "r", begin)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(nil)
	for i := range 3 {
		if err := w.Add(attempt(i, "a", 0, time.Second)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var events []traceEvent
		if err := json.Unmarshal(append(b, ']'), &events); err != nil || !strings.HasPrefix(string(b), "[\n") {
			t.Errorf("%s: %v", b, err)
		}
		if len(events) != 1+2*(i+1) {
			t.Errorf("%d events after %d attempts", len(events), i+1)
		}
	}
}
