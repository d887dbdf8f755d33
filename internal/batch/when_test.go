package batch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// What becomes of a job by what became of its two needs, in whatever order they
// end.
func TestWhen_Truth(t *testing.T) {
	t.Parallel()
	type need struct {
		fails bool
		key   string // continue_on_error and the like
	}
	needs := []need{{false, ""}, {true, ""}, {true, ", continue_on_error: true"}, {true, ", allow_failure: true"}}
	for _, when := range []string{"ok", "failed", "always"} {
		for _, a := range needs {
			for _, b := range needs {
				for _, slow := range []string{"a", "b"} {
					var bad []string
					missed, unmet, counts := 0, 0, 0
					for i, n := range []need{a, b} {
						if !n.fails {
							continue
						}
						bad = append(bad, string(rune('a'+i)))
						missed++
						if n.key == "" {
							unmet++
						}
						if !strings.Contains(n.key, "allow") {
							counts++
						}
					}
					runs := when == "always" || when == "ok" && unmet == 0 || when == "failed" && missed > 0
					exit := ExitOK
					if counts > 0 {
						exit = ExitNotOK
					}
					name := fmt.Sprintf("when %s, needs %v %v, %s ends last", when, a, b, slow)
					tr := setup(t, fmt.Sprintf("jobs: [{id: a, run: [x]%s}, {id: b, run: [x]%s}, {id: c, run: [x], needs: [a, b], when: %s}]", a.key, b.key, when))
					c := crewed(tr, 2)
					c.work = lasting(map[string]time.Duration{slow: time.Minute}, bad...)
					rep := tr.run()
					if _, did := c.first("c"); did != runs || rep.Exit != exit || rep.Totals.Skipped != btoi(!runs) {
						t.Errorf("%s: ran %v, want %v; exit %d, want %d; %+v", name, did, runs, rep.Exit, exit, rep.Totals)
					}
					listed := len(bad)
					if when == "ok" && !runs {
						listed++ // it was kept from running, where the others were not wanted
					}
					if len(rep.Failures) != listed {
						t.Errorf("%s: %d failures are listed, want %d", name, len(rep.Failures), listed)
					}
				}
			}
		}
	}
}

func btoi(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func TestWhen_JobThatDidNotRunIsNoFailure(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x]}
  - {id: mend, run: [x], needs: a, when: failed, foreach: [1, 2]}
  - {id: after, run: [x], needs: mend}
  - {id: mend2, run: [x], needs: mend, when: failed}
  - {id: last, run: [x], needs: [mend, after, mend2], when: always}
`)
	rep := tr.run()
	if rep.Exit != ExitOK || rep.Totals.Skipped != 4 || rep.Totals.OK != 2 || len(rep.Failures) != 0 || rep.First != nil {
		t.Errorf("exit %d, totals %+v, failures %s", rep.Exit, rep.Totals, rep.Failures)
	}
	if got := tr.ex.submitted(); !slices.Equal(got, []string{"a", "last"}) {
		t.Errorf("started %v", got)
	}
	for _, e := range tr.eventList() {
		if e["outcome"] == "skipped" && e["which"] != "when" {
			t.Errorf("skipped without saying why: %v", e)
		}
	}
	if s := tr.stderr.String(); strings.Contains(s, "needs") {
		t.Errorf("stderr tells of it: %s", s)
	}
}

// A job of which one need failed and another did not run is skipped for the one
// that failed, whichever of them ends first.
func TestWhen_FailureOutweighsWhatDidNotRun(t *testing.T) {
	t.Parallel()
	for _, slow := range []string{"fails", "fine"} {
		tr := setup(t, `
jobs:
  - {id: fine, run: [x]}
  - {id: idle, run: [x], needs: fine, when: failed}
  - {id: fails, run: [x]}
  - {id: both, run: [x], needs: [idle, fails]}
  - {id: mend, run: [x], needs: both, when: failed}
`)
		c := crewed(tr, 2)
		c.work = lasting(map[string]time.Duration{slow: time.Minute}, "fails")
		rep := tr.run()
		if _, did := c.first("mend"); !did || rep.Totals.Skipped != 2 || len(rep.Failures) != 2 {
			t.Errorf("with a slow %s: mend ran: %v; totals %+v, failures %s", slow, did, rep.Totals, rep.Failures)
		}
	}
}

func TestWhen_FailedNeedThatWasSkippedCounts(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x]}
  - {id: b, run: [x], needs: a}
  - {id: c, run: [x], needs: b, when: failed}
  - {id: d, run: [x], needs: c}
`)
	tr.ex.auto = okBut("a")
	rep := tr.run()
	if got := tr.ex.submitted(); !slices.Equal(got, []string{"a", "c", "d"}) || rep.Exit != ExitNotOK {
		t.Errorf("started %v, exit %d", got, rep.Exit)
	}
}

func TestWhen_AllowedFailureIsListedAndForgiven(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {range: 1..4}, allow_failure: true}
  - {id: b, run: [x], needs: a}
`)
	tr.ex.auto = okBut("a#0", "a#2")
	rep := tr.run()
	if rep.Exit != ExitOK || rep.Totals.Failed != 2 || rep.Totals.OK != 3 || len(rep.Failures) != 2 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}

// What went wrong with the run itself is not forgiven.
func TestWhen_AllowFailureDoesNotForgiveInternal(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x], allow_failure: true}]")
	tr.ex.auto = func(*Instance) *pool.Result { return &pool.Result{Outcome: pool.Internal, ExitCode: -1, Attempt: 1} }
	if rep := tr.run(); rep.Exit != ExitInternal {
		t.Errorf("exit %d", rep.Exit)
	}
}
