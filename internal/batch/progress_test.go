package batch

import (
	"testing"
	"time"
)

func TestProgress_CountsWhatIsKnown(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {range: 1..6}}
  - {id: b, run: [x], foreach: {lines: in.txt}}
  - {id: c, run: [x], needs: a, foreach: [1, 2]}
`)
	tr.write("in.txt", "1\n2\n3\n")
	c := crewed(tr, 2)
	c.work = lasting(map[string]time.Duration{"a": 2 * time.Second}, "a#0")
	var p Progress
	tr.cfg.Progress = &p
	tr.steer(func() {
		if s := p.Status(10); s.Active != 2 || s.Done != 0 || len(s.Running) != 2 || s.Running[0].Item == s.Running[1].Item {
			t.Errorf("at the beginning: %+v", s)
		}
		time.Sleep(3 * time.Second)
		if s := p.Status(1); s.Total != 11 || s.OK != 1 || s.NotOK != 1 || len(s.Running) != 1 || s.Elapsed != 3*time.Second {
			t.Errorf("after 3 s: %+v", s)
		}
	})
	if s := p.Status(10); s.Total != 11 || s.Done != 11 || s.Skipped != 2 || s.Active != 0 || len(s.Running) != 0 {
		t.Errorf("at the end: %+v", s)
	}
}

// A line that is no JSON is nobody's business where its instance is not wanted.
func TestProgress_OnlyCountsWhatIsWanted(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x], foreach: {jsonl: in.jsonl}}]")
	tr.write("in.jsonl", "1\n{\n3\n4\n")
	tr.cfg.Only = map[string][]int64{"a": {0, 3}}
	var p Progress
	tr.cfg.Progress = &p
	rep := tr.run()
	if s := p.Status(0); rep.Totals.Jobs != 2 || rep.Totals.OK != 2 || s.Total != 2 || s.Done != 2 {
		t.Errorf("totals %+v, status %+v", rep.Totals, s)
	}
}
