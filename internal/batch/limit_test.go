package batch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/pool"
)

// overLimit are the ends of instances of a file with the jobs memory, cpu, files and
// wall.
func overLimit(in *Instance) *pool.Result {
	r := &pool.Result{Outcome: pool.Limited, Which: in.Job.ID, ExitCode: -1, Signal: 9, Attempt: 1, PID: 100, Wall: time.Second}
	switch in.Job.ID {
	case "memory":
		r.Limit, r.Observed, r.EnforcedBy, r.Evidence = 128<<20, 131<<20, "cgroup v1", "the tree's memory was\x1b[31m at its limit"
		r.Peak, r.PeakSource = 131<<20, "cgroup v1"
	case "cpu":
		r.Limit, r.Observed, r.EnforcedBy, r.Evidence = int64(1500*time.Millisecond), int64(1600*time.Millisecond), "watchdog", "1.6 s of CPU time"
	case "files":
		r.Limit, r.Observed, r.EnforcedBy, r.Evidence = 10, 10, "rlimit", "it said: too many open files"
	case "wall":
		return &pool.Result{Outcome: pool.TimedOut, ExitCode: -1, Signal: 9, Attempt: 1, PID: 100}
	}
	return r
}

// described is what the report, the events and the journal say of an instance.
type described struct {
	Job, Outcome, Which string
	Limit, Observed     float64
	EnforcedBy          string `json:"enforced_by"`
	Peak                int64  `json:"peak_bytes"`
	PeakSource          string `json:"peak_source"`
}

func TestLimit_IsToldInReportEventsJournalAndNotes(t *testing.T) {
	t.Parallel()
	s := newSaga(t)
	tr := s.next("jobs: [{id: memory, run: [x]}, {id: cpu, run: [x]}, {id: files, run: [x]}, {id: wall, run: [x]}]")
	tr.ex.auto = overLimit
	rep := tr.run()
	s.end(tr)
	if rep.Exit != ExitNotOK || rep.Totals.Limit != 3 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
	want := map[string]described{
		"memory": {"memory", "limit", "memory", 128 << 20, 131 << 20, "cgroup v1", 131 << 20, "cgroup v1"},
		"cpu":    {"cpu", "limit", "cpu", 1.5, 1.6, "watchdog", 0, ""},
		"files":  {"files", "limit", "files", 10, 10, "rlimit", 0, ""},
		"wall":   {Job: "wall", Outcome: "timeout"},
	}
	told := func(where string, b []byte) {
		var d described
		if err := json.Unmarshal(b, &d); err != nil || d != want[d.Job] {
			t.Errorf("%s: %+v, %v, want %+v", where, d, err, want[d.Job])
		}
		if d.Job == "wall" && strings.Contains(string(b), "limit") {
			t.Errorf("%s: %s", where, b)
		}
	}
	if len(rep.Failures) != 4 {
		t.Errorf("%d failures", len(rep.Failures))
	}
	for _, row := range rep.Failures {
		told("report", row)
	}
	ends := 0
	for _, e := range tr.eventList() {
		if e["event"] == "job.end" {
			b, _ := json.Marshal(e)
			told("event", b)
			ends++
		}
	}
	view, err := s.store.View(tr.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	jobs := view.Info().Jobs
	rows := 0
	err = view.Each(journal.Filter{}, func(row *journal.Row) error {
		r := Recorded{Row: row, Job: jobs[row.Job].ID}
		told("journal", r.Object(nil))
		rows++
		return nil
	})
	if err != nil || ends != 4 || rows != 4 {
		t.Errorf("%d events, %d rows, %v", ends, rows, err)
	}
	for _, note := range []string{
		`memory: limit: memory 128 MiB, seen 131 MiB (cgroup v1): the tree's memory was\x1b[31m at its limit (SIGKILL)`,
		"cpu: limit: cpu 1.50 s, seen 1.60 s (watchdog): 1.6 s of CPU time (SIGKILL)",
		"files: limit: files 10 (rlimit): it said: too many open files (SIGKILL)",
		"wall: timeout: SIGKILL",
	} {
		if !strings.Contains(tr.stderr.String(), "supervisor: "+note+"\n") {
			t.Errorf("no note %q in\n%s", note, tr.stderr.String())
		}
	}
	if strings.Contains(tr.stderr.String(), "\x1b") {
		t.Errorf("%q", tr.stderr.String())
	}
}

func TestLimit_ThatThisMachineCannotEnforceIsExitCodeFour(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x], foreach: [1, 2]}, {id: b, run: [x], allow_failure: true}]")
	tr.ex.auto = func(in *Instance) *pool.Result {
		if in.Index > 0 {
			return ok()
		}
		return &pool.Result{Outcome: pool.Failed, Which: pool.WhichConfine, ExitCode: -1, Attempt: 1, Evidence: fmt.Sprint(pool.ErrConfine)}
	}
	if rep := tr.run(); rep.Exit != ExitConfine || rep.Totals.Failed != 2 || rep.Totals.OK != 1 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}
