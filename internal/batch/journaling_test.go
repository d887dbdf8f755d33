package batch

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/pool"
)

func TestJournal_HasOneRowOfEachAndAllAttempts(t *testing.T) {
	t.Parallel()
	s := newSaga(t)
	tr := s.next(`
jobs:
  - {id: a, run: [x, "{{.item}}"], foreach: {range: 1..200}, retry: {max: 2, backoff: 1s, jitter: 0}, continue_on_error: true}
  - {id: bad, run: [x]}
  - {id: skipped, run: [x], needs: bad, foreach: [1, 2, 3]}
  - {id: unread, run: [x], needs: bad, foreach: {lines: none}}
  - {id: idle, run: [x], needs: a, when: failed, foreach: {range: 1..3}}
  - {id: there, run: [x], foreach: [1, 2], creates: "."}
`)
	c := crewed(tr, 5)
	c.work = func(in *Instance, attempt int) (time.Duration, *pool.Result) {
		if in.Job.ID == "bad" || in.Job.ID == "a" && in.Index%10 == 3 && attempt <= int(in.Index/10)%4 {
			return time.Second, failed(attempt)
		}
		return time.Second, printing(in.Label()+"\n", "")
	}
	rep := tr.run()
	id := tr.cfg.ID
	rows := s.end(tr)
	if int64(len(rows)) != rep.Totals.Jobs || len(rows) != 200+1+3+1+3+2 {
		t.Errorf("%d rows, totals %+v", len(rows), rep.Totals)
	}
	v, err := s.store.View(id)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	attempts := int64(0)
	for label, row := range rows {
		tries, err := v.Attempts(&row)
		if err != nil {
			t.Fatal(err)
		}
		attempts += int64(len(tries))
		for i, a := range tries {
			if a.Attempt != i+1 || a.ExitCode != i+1 || a.Outcome != "failed" {
				t.Errorf("%s: attempt %d is %+v", label, i, a)
			}
		}
		if len(tries) > 0 && row.Attempt != len(tries)+1 {
			t.Errorf("%s: attempt %d behind %d others", label, row.Attempt, len(tries))
		}
	}
	if attempts != rep.Totals.Retried || attempts == 0 {
		t.Errorf("%d attempts, totals %+v", attempts, rep.Totals)
	}
	if r := rows["a#5"]; r.Outcome != "ok" || r.Item != "6" || r.Output.Stdout != int64(len("a#5\n")) {
		t.Errorf("a#5 is %+v", r)
	}
	if r := rows["skipped#2"]; r.Outcome != "skipped" || r.Evidence != "needs bad, which was not ok" {
		t.Errorf("skipped#2 is %+v", r)
	}
}

// Nothing is printed, told or counted as an event before it is recorded.
func TestJournal_RowsComeBeforeWhatIsPrinted(t *testing.T) {
	t.Parallel()
	s := newSaga(t)
	tr := s.next("jobs: [{id: a, run: [x, '{{.item}}'], foreach: {range: 1..300}}]")
	c := crewed(tr, 20)
	c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
		return time.Duration(1+in.Index%9) * 10 * time.Millisecond, printing(in.Label()+"\n", "")
	}
	view, err := s.store.View(tr.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	printed := int64(0)
	tr.cfg.Stdout = writerFunc(func(p []byte) (int, error) {
		printed += int64(strings.Count(string(p), "\n"))
		count, err := view.Count()
		if err != nil {
			t.Error(err)
		}
		if count["ok"] < printed {
			t.Errorf("%d are printed, %d recorded", printed, count["ok"])
		}
		return tr.stdout.Write(p)
	})
	if rep := tr.run(); rep.Totals.OK != 300 || printed != 300 {
		t.Errorf("totals %+v, %d printed", rep.Totals, printed)
	}
	s.end(tr)
}

// A journal that is closed under the run stands for one whose disk is full.
func TestJournal_ThatFailsHaltsTheRun(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"group", "order"} {
		t.Run(output, func(t *testing.T) {
			t.Parallel()
			s := newSaga(t)
			tr := s.next("{output: " + output + ", jobs: [{id: a, run: [x, '{{.item}}'], foreach: {range: 1..1000}, max_parallel: 1}]}")
			c := crewed(tr, 1)
			c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
				return time.Second, printing(in.Label()+"\n", "")
			}
			tr.cfg.Stdout = writerFunc(func(p []byte) (int, error) {
				if strings.Contains(string(p), "a#9\n") { // here nobody commits
					if err := tr.cfg.Journal.Close(); err != nil {
						t.Error(err)
					}
				}
				return tr.stdout.Write(p)
			})
			var rep *Report
			// Not by run: there are no events of what is not recorded.
			synctest.Test(t, func(*testing.T) { rep = Run(context.Background(), tr.cfg) })
			if rep.Exit != ExitInternal || rep.Totals.Jobs > 14 {
				t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
			}
			rows := s.end(tr)
			if got := strings.Count(tr.stdout.String(), "\n"); got != len(rows) || got < 10 {
				t.Errorf("%d were printed, %d recorded", got, len(rows))
			}
			errs := tr.stderr.String()
			if strings.Count(errs, "halting: -resume goes on") != 1 || !strings.Contains(errs, tr.cfg.Journal.Dir()) {
				t.Errorf("stderr: %s", errs)
			}
			for _, e := range tr.eventList() {
				label := fmt.Sprintf("a#%v", e["index"])
				if _, recorded := rows[label]; e["event"] == "job.end" && !recorded {
					t.Errorf("an event tells of the end of %s, which is not recorded", label)
				}
			}
		})
	}
}

func TestJournal_NamesWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	r := newRun(&Config{File: setup(t, "jobs: [{id: a, run: [x]}]").cfg.File, Executor: &fake{}, Stderr: new(safeBuffer), Stdout: new(safeBuffer)})
	s := newSaga(t)
	tr := s.next("jobs: [{id: a, run: [x]}]")
	defer s.end(tr)
	r.cfg.Journal = tr.cfg.Journal
	r.led.start()
	r.unrecorded(&journal.LostError{Label: "a#17", Lost: 3, Err: fmt.Errorf("disk is full")})
	r.led.close()
	if errs := r.led.sinks[toStderr].(*safeBuffer).String(); !strings.Contains(errs, "disk is full; a#17 is the first that is not recorded; halting") {
		t.Errorf("stderr: %s", errs)
	}
	if r.end.lost == "" || r.end.code() != ExitInternal || !r.Halting() {
		t.Error("the run goes on")
	}
}
