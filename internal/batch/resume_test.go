package batch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/report"
	"github.com/feac4032/multiproc/pool"
)

// saga is a run and those that resume it, in one folder.
type saga struct {
	t      *testing.T
	dir    string
	store  *journal.Store
	parent string
}

func newSaga(t *testing.T) *saga {
	t.Helper()
	store, err := journal.Open(t.TempDir() + "/state")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &saga{t: t, dir: t.TempDir(), store: store}
}

// next makes a run that goes on from the last one.
func (s *saga) next(file string) *trial {
	s.t.Helper()
	tr := setup(s.t, file)
	f, err := config.Parse(s.dir+"/job.yaml", []byte(file))
	if err != nil {
		s.t.Fatal(err)
	}
	tr.cfg.File = f
	if s.parent != "" {
		if tr.cfg.Past, err = s.store.Resume(s.parent); err != nil {
			s.t.Fatal(err)
		}
	}
	tr.cfg.ID = NewID(time.Now())
	tr.cfg.Journal, err = s.store.Create(journal.Info{
		ID: tr.cfg.ID, Identity: "x", File: "job.yaml", Begin: time.Now(), Workers: 2, Parent: s.parent, Jobs: JournalJobs(f),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	tr.cfg.SpillDir = s.store.Dir()
	s.parent = tr.cfg.ID
	return tr
}

// end closes what a run has open, and gives its rows by label.
func (s *saga) end(tr *trial) map[string]journal.Row {
	s.t.Helper()
	if past := tr.cfg.Past; past != nil {
		past.Close()
	}
	if err := tr.cfg.Journal.Close(); err != nil {
		s.t.Error(err)
	}
	v, err := s.store.View(tr.cfg.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	defer v.Close()
	rows := map[string]journal.Row{}
	if err := v.Each(journal.Filter{}, func(r *journal.Row) error {
		if _, twice := rows[v.Label(r)]; twice {
			s.t.Errorf("%s has a second row", v.Label(r))
		}
		rows[v.Label(r)] = *r
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	return rows
}

func listOf(items []string) string {
	for i := range items {
		items[i] = fmt.Sprintf("%q", items[i])
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// Whatever is done to the items between two runs, what runs is what no run has done:
// of each item as many as there are more than were ok.
func TestResume_RunsExactlyWhatIsNew(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 11))
			s := newSaga(t)
			items := make([]int, 5+rnd.IntN(200))
			for i := range items {
				items[i] = rnd.IntN(1 + len(items)*2/3) // some are equal
			}
			done := map[int]int{} // by item, how many were ok
			for generation := range 4 {
				list := make([]string, len(items))
				for i, n := range items {
					list[i] = fmt.Sprint("item ", n)
				}
				tr := s.next("jobs: [{id: a, run: [x, '{{.item}}'], foreach: " + listOf(list) + "}]")
				ran, was := map[int]int{}, map[int]int{}
				bad := map[int]bool{}
				for range len(items) / 4 {
					bad[rnd.IntN(len(items))] = true // by index
				}
				if seed%2 == 1 { // all of an item are alike
					clear(bad)
				}
				badItem := rnd.IntN(len(items))
				tr.ex.auto = func(in *Instance) *pool.Result {
					n := items[in.Index]
					ran[n]++
					if bad[int(in.Index)] || n == badItem {
						return failed(1)
					}
					was[n]++
					return ok()
				}
				rep := tr.run()
				rows := s.end(tr)
				if len(rows) != len(items) || int(rep.Totals.Jobs) != len(items) {
					t.Fatalf("generation %d: %d rows and totals %+v of %d instances", generation, len(rows), rep.Totals, len(items))
				}
				want := map[int]int{}
				for _, n := range items {
					want[n]++
				}
				carried := 0
				for n, count := range want {
					old := min(count, done[n])
					// Of equal instances some of which have failed, one that was ok may be found later.
					if got := ran[n]; got < count-old || seed%2 == 1 && got > count-old {
						t.Errorf("generation %d: item %d ran %d times, want %d: %d of %d were done", generation, n, got, count-old, done[n], count)
					}
					carried += count - ran[n]
				}
				ok := 0
				for label, row := range rows {
					if row.Outcome == "ok" {
						ok++
					}
					if row.Resumed != (row.OriginRun != "") {
						t.Errorf("%s: resumed %v from %q", label, row.Resumed, row.OriginRun)
					}
				}
				if int(rep.Totals.Resumed) != carried || int(rep.Totals.OK) != ok {
					t.Errorf("generation %d: totals %+v, want %d resumed and %d ok", generation, rep.Totals, carried, ok)
				}
				for n, k := range was {
					// A record stays in its run where fewer instances wanted it, and is found
					// there by a later one that goes on from both.
					done[n] += k
				}
				// Edit, insert, delete, repeat, and change the order.
				for range rnd.IntN(20) {
					i := rnd.IntN(len(items))
					switch rnd.IntN(5) {
					case 0:
						items[i] = 1000 + rnd.IntN(1000)
					case 1:
						items = slices.Insert(items, i, 2000+rnd.IntN(1000))
					case 2:
						if len(items) > 2 {
							items = slices.Delete(items, i, i+1)
						}
					case 3:
						items = append(items, items[i])
					case 4:
						rnd.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
					}
				}
			}
		})
	}
}

// told is a sink that keeps rows by label.
type told struct {
	mu     sync.Mutex
	rows   map[string]report.Row
	closed *report.Summary
}

func (s *told) Add(r *report.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == nil {
		s.rows = map[string]report.Row{}
	}
	s.rows[r.Label] = *r
	return nil
}

func (s *told) Close(sum *report.Summary) error {
	if sum != nil {
		s.closed = sum
	}
	return nil
}

func TestResume_TellsTakersAndReadersOfWhatWasDone(t *testing.T) {
	t.Parallel()
	file := `
jobs:
  - {id: a, run: [x], foreach: [1, 2, 3]}
  - {id: b, run: [x, "{{.item}}"], foreach: {from: a}}
  - {id: c, task: echo, foreach: [5, 6]}
  - {id: d, run: [x, "{{.item}}"], foreach: {lines_of: c}}
`
	s := newSaga(t)
	tr := s.next(file)
	work := func(bad ...string) func(*Instance) *pool.Result {
		return func(in *Instance) *pool.Result {
			if slices.Contains(bad, in.Label()) {
				return failed(3)
			}
			if in.Job.ID == "c" {
				res := printing("line of "+in.Item.Text()+"\nhalf", "")
				res.Value = appendString(nil, "result of "+in.Item.Text())
				return res
			}
			return ok()
		}
	}
	tr.ex.auto = work("a#1", "b#1", "d#0")
	if rep := tr.run(); rep.Totals.OK != 2+1+2+5 || rep.Totals.Failed != 3 {
		t.Fatalf("totals %+v", rep.Totals)
	}
	s.end(tr)

	tr = s.next(file)
	tr.ex.auto = work()
	sink := &told{}
	tr.cfg.Sinks = []report.Sink{sink}
	rep := tr.run()
	rows := s.end(tr)
	started := tr.ex.submitted()
	// a#1, the items of b of which one failed and one is new, and a line of d.
	if len(started) != 4 {
		t.Errorf("started %v", started)
	}
	if rep.Totals.OK != 3+3+2+6 || rep.Totals.Resumed != 10 || rep.Exit != ExitOK {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
	if len(rows) != 14 || len(sink.rows) != 14 || sink.closed == nil || sink.closed.Resumed != 10 {
		t.Errorf("%d rows, %d were told, summary %+v", len(rows), len(sink.rows), sink.closed)
	}
	resumed := 0
	for _, r := range sink.rows {
		if r.Resumed {
			resumed++
		}
	}
	if r := sink.rows["c#1"]; !r.Resumed || r.Item.Text() != "6" || len(r.Result) == 0 || resumed != 10 {
		t.Errorf("c#1 was told as %+v, %d are resumed", r, resumed)
	}
	if out := tr.stdout.String(); strings.Contains(out, "line of") {
		t.Errorf("what was printed before is printed again: %q", out)
	}
}

func TestResume_AnewRunsAgain(t *testing.T) {
	t.Parallel()
	file := "jobs: [{id: a, run: [x], foreach: [1, 2]}, {id: b, run: [x]}]"
	s := newSaga(t)
	tr := s.next(file)
	tr.run()
	s.end(tr)
	tr = s.next(file)
	tr.cfg.Anew = map[string]bool{"a": true}
	rep := tr.run()
	s.end(tr)
	if got := tr.ex.submitted(); !slices.Equal(got, []string{"a#0", "a#1"}) || rep.Totals.Resumed != 1 || rep.Totals.OK != 3 {
		t.Errorf("started %v, totals %+v", got, rep.Totals)
	}
}

func TestResume_MakesTheChunksOfBeforeAgain(t *testing.T) {
	t.Parallel()
	file := "jobs: [{id: a, run: [x, '{{.items}}'], chunk: auto, matrix: {m: [1, 2]}, foreach: {range: 1..5000}}]"
	s := newSaga(t)
	var sizes [2][]int
	for i := range 2 {
		tr := s.next(file)
		c := crewed(tr, 3)
		c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
			if i == 0 && in.Index > 3 && in.Index%7 == 2 {
				return time.Second, failed(1)
			}
			return time.Duration(len(in.Items)) * 5 * time.Millisecond, ok()
		}
		rep := tr.run()
		rows := s.end(tr)
		for n := range len(rows) {
			sizes[i] = append(sizes[i], int(rows[fmt.Sprintf("a#%d", n)].Items))
		}
		if i == 1 && (rep.Totals.Failed > 0 || rep.Totals.Resumed == 0 || len(c.starts) == 0 || rep.Totals.Resumed+int64(len(c.starts)) != rep.Totals.OK) {
			t.Errorf("%d started, totals %+v", len(c.starts), rep.Totals)
		}
		for _, st := range c.starts {
			var n int
			fmt.Sscanf(st.label, "a#%d", &n)
			if i == 1 && (n <= 3 || n%7 != 2) {
				t.Errorf("%s ran again", st.label)
			}
		}
	}
	if !slices.Equal(sizes[0], sizes[1]) {
		t.Errorf("chunks of\n%v, then of\n%v", sizes[0], sizes[1])
	}
}

// An instance whose output somebody reads runs again where that is no longer stored.
func TestResume_OutputThatIsGoneIsMadeAgain(t *testing.T) {
	t.Parallel()
	file := "jobs: [{id: a, run: [x], foreach: [1, 2]}, {id: b, run: [x, '{{.item}}'], foreach: {lines_of: a}}]"
	s := newSaga(t)
	for i := range 2 {
		tr := s.next(file)
		if i == 0 {
			// A journal with no room for what a#1 prints.
			tr.cfg.Journal.Close()
			tr.cfg.ID = NewID(time.Now())
			var err error
			tr.cfg.Journal, err = s.store.Create(journal.Info{ID: tr.cfg.ID, Identity: "x", File: "job.yaml", Begin: time.Now(), Jobs: JournalJobs(tr.cfg.File), Quota: 1000})
			if err != nil {
				t.Fatal(err)
			}
			s.parent = tr.cfg.ID
		}
		tr.ex.auto = func(in *Instance) *pool.Result {
			switch in.Label() {
			case "a#0":
				return printing("one\n", "")
			case "a#1":
				return printing(strings.Repeat("y", 2000)+"\n", "")
			}
			return ok()
		}
		rep := tr.run()
		s.end(tr)
		if rep.Totals.OK != 4 {
			t.Fatalf("totals %+v", rep.Totals)
		}
		if got := tr.ex.submitted(); i == 1 && !slices.Equal(got, []string{"a#1"}) {
			t.Errorf("started %v", got)
		}
	}
}

// A job without items is about all that its needs have made, and so is done again
// when one of these has: a sum, a report. Those with items know them.
func TestResume_WhatSumsUpIsMadeAgain(t *testing.T) {
	t.Parallel()
	const file = `
jobs:
  - {id: part, run: [x, "{{.item}}"], foreach: [1, 2, 3]}
  - {id: sum, run: [x], needs: part, when: always}
  - {id: mail, run: [x], needs: sum}
  - {id: each, run: [x, "{{.item}}"], foreach: [1, 2], needs: part, when: always}
  - {id: apart, run: [x]}
`
	s := newSaga(t)
	tr := s.next(file)
	tr.ex.auto = okBut("part#1")
	tr.run()
	s.end(tr)
	for _, want := range [][]string{{"part#1", "sum", "mail"}, nil} {
		tr = s.next(file)
		rep := tr.run()
		s.end(tr)
		got := tr.ex.submitted()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("resuming has run %v, want %v", got, want)
		}
		if rep.Totals.OK != 8 || rep.Totals.Resumed != int64(8-len(want)) {
			t.Errorf("totals %+v", rep.Totals)
		}
	}
}

func TestResume_FileThatIsGoneIsMadeAgain(t *testing.T) {
	t.Parallel()
	const file = `jobs: [{id: a, run: [x], foreach: [p, q], stdout: {file: "out/{{.item}}"}}]`
	s := newSaga(t)
	for i, want := range [][]string{{"a#0", "a#1"}, nil, {"a#1"}} {
		if i == 2 {
			if err := os.Remove(s.dir + "/out/q"); err != nil {
				t.Fatal(err)
			}
		}
		tr := s.next(file)
		tr.run()
		s.end(tr)
		if got := tr.ex.submitted(); !slices.Equal(got, want) {
			t.Errorf("run %d has run %v, want %v", i, got, want)
		}
	}
}
