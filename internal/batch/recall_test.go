package batch

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/pool"
)

// twice runs a file, and then again with what the first run has recorded.
func twice(t *testing.T, file string, auto func(*Instance) *pool.Result, between func()) (first, second *trial) {
	t.Helper()
	first = setup(t, file)
	first.ex.auto = auto
	store, run := journaled(first, 0, "")
	first.run()
	run.Close()
	between()
	second = setup(t, file)
	second.ex.auto = auto
	f, err := config.Parse(first.cfg.File.Path, []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	second.cfg.File = f
	if second.cfg.Past, err = store.Resume(first.cfg.ID); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { second.cfg.Past.Close() })
	journaled(second, 0, first.cfg.ID)
	second.run()
	return first, second
}

// What a later job reads of a task is its result too, of which a journal keeps no
// large one.
func TestResume_ResultsThatWereNotKeptAreMadeAgain(t *testing.T) {
	t.Parallel()
	const file = `jobs:
  - {id: a, task: echo, foreach: [small, large]}
  - {id: b, run: [x], foreach: {lines_of: a}}
`
	item := ""
	bad := true
	first, second := twice(t, file, func(in *Instance) *pool.Result {
		if in.Job.ID == "b" {
			if item += in.Item.Text()[:5] + "\n"; bad {
				return failed(1)
			}
			return ok()
		}
		res := ok()
		text := in.Item.Text()
		if text == "large" {
			text = strings.Repeat(text, journal.MaxResult/5+1)
		}
		res.Value = appendMsgpack(nil, config.String(text))
		return res
	}, func() { item, bad = "", false })
	if got, want := strings.Join(second.ex.submitted(), " "), "a#1 b#0 b#1"; got != want {
		t.Errorf("the first run started %v, the second %s, want %s", first.ex.submitted(), got, want)
	}
	if item != "small\nlarge\n" && item != "large\nsmall\n" {
		t.Errorf("items %q", item)
	}
}

// What is given up when a run is killed was not recorded: a record without its
// output would have -resume go on as if there had been none.
func TestResume_RecordsOfAKilledRunHaveTheirOutputs(t *testing.T) {
	t.Parallel()
	tr := setup(t, `jobs: [{id: a, run: [x]}]`)
	_, run := journaled(tr, 0, "")
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(nil, nil, nil, nil)
		l.journal = run
		l.abandon()
		l.start()
		in := &Instance{Job: tr.cfg.File.Jobs[0], state: &jobState{}}
		large, small := outputOf(strings.Repeat("x", maxCopy+1)), outputOf("y")
		l.commit(&entry{in: in, stdout: &large, stderr: &noOutput, record: &journal.Row{Index: 0, Outcome: "ok"}})
		l.commit(&entry{in: in, stdout: &small, stderr: &noOutput, record: &journal.Row{Index: 1, Outcome: "ok"}})
		l.commit(&entry{in: in, stdout: &large, stderr: &noOutput, record: &journal.Row{Index: 2, Outcome: "cancelled", Signal: int(syscall.SIGKILL)}})
		l.close()
	})
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	store, err := journal.Look(tr.cfg.File.Dir + "/state")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	v, err := store.View(tr.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var recorded []int64
	v.Each(journal.Filter{}, func(r *journal.Row) error {
		recorded = append(recorded, r.Index)
		if r.Outcome == "ok" && r.Output.Stdout == 0 {
			t.Errorf("a#%d is recorded as ok without its output", r.Index)
		}
		return nil
	})
	if !slices.Equal(recorded, []int64{1, 2}) {
		t.Errorf("records of %v, want 1 and 2", recorded)
	}
}

// Who is let go takes its output away, which the writer still has to come to.
func TestResume_KilledRunLosesNoRecordOfOthers(t *testing.T) {
	t.Parallel()
	tr := setup(t, `jobs: [{id: a, run: [x]}]`)
	store, run := journaled(tr, 0, "")
	file, err := os.Create(t.TempDir() + "/output")
	if err != nil {
		t.Fatal(err)
	}
	file.Write(make([]byte, maxCopy+1))
	var large pool.Output
	fields := reflect.ValueOf(&large).Elem()
	*(**os.File)(fields.FieldByName("file").Addr().UnsafePointer()) = file
	*(*int64)(fields.FieldByName("n").Addr().UnsafePointer()) = maxCopy + 1
	synctest.Test(t, func(t *testing.T) {
		reader := make(gate)
		l := newLedger(reader, nil, nil, func(to stream, err error) { t.Errorf("%s: %v", to, err) })
		l.journal = run
		l.onBroken = func(err error) { t.Error(err) }
		l.start()
		in := &Instance{Job: tr.cfg.File.Jobs[0], state: &jobState{}}
		small := outputOf("y")
		l.commit(&entry{in: in, stdout: &small, stderr: &noOutput, record: &journal.Row{Index: 0, Outcome: "ok"}})
		time.Sleep(time.Second)
		let := make(chan struct{})
		go func() {
			l.commit(&entry{in: in, stdout: &large, stderr: &noOutput, record: &journal.Row{Index: 1, Outcome: "ok"}})
			file.Close()
			close(let)
		}()
		synctest.Wait()
		l.commit(&entry{in: in, stdout: &small, stderr: &noOutput, record: &journal.Row{Index: 2, Outcome: "ok"}})
		l.abandon()
		<-let
		close(reader)
		l.close()
	})
	run.Close()
	v, err := store.View(tr.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var recorded []int64
	v.Each(journal.Filter{}, func(r *journal.Row) error {
		recorded = append(recorded, r.Index)
		return nil
	})
	if !slices.Equal(recorded, []int64{0, 2}) {
		t.Errorf("records of %v, want 0 and 2", recorded)
	}
}
