package batch

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/pool"
)

// journaled gives a trial a journal in a folder of its own.
func journaled(tr *trial, quota int64, parent string) (*journal.Store, *journal.Run) {
	tr.t.Helper()
	store, err := journal.Open(tr.cfg.File.Dir + "/state")
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { store.Close() })
	tr.cfg.ID = NewID(time.Now())
	run, err := store.Create(journal.Info{
		ID: tr.cfg.ID, Identity: "x", File: "job.yaml", Begin: time.Now(), Workers: tr.cfg.Workers,
		Parent: parent, Jobs: JournalJobs(tr.cfg.File), Quota: quota,
	})
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { run.Close() })
	tr.cfg.Journal, tr.cfg.SpillDir = run, store.Dir()
	return store, run
}

// wordy makes the output of an instance: as its number says nothing, a few bytes,
// an unfinished line, or more than is copied.
func wordy(label string, n int) string {
	switch n % 5 {
	case 0:
		return ""
	case 1:
		return "<" + label + ">\n"
	case 2:
		return "<" + label + ">" // unfinished
	case 3:
		return strings.Repeat("<"+label+">\n", 1+(maxCopy+n*100)/(len(label)+3))
	}
	return strings.Repeat("\xff\x00<"+label+">\n", 1+n%100)
}

const inLevels = `
output: order
jobs:
  - {id: late, run: [x], needs: first, foreach: {range: 1..20}}
  - {id: first, run: [x], foreach: {range: 1..20}}
  - {id: taker, run: [x], foreach: {from: second}}
  - {id: second, run: [x], foreach: {range: 1..20}, matrix: {m: [1, 2]}}
`

func TestOrder_IsThatOfLevelsFileAndIndex(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			tr := setup(t, inLevels)
			quota := []int64{0, 65 << 20, 66 << 20}[seed%3]
			if seed%2 == 1 {
				journaled(tr, quota, "")
			}
			rnd := rand.New(rand.NewPCG(seed, 7))
			c := crewed(tr, 30)
			c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
				label, n := in.Label(), int(in.Index)
				return time.Duration(rnd.IntN(1000)) * time.Millisecond, printing(wordy(label, n), wordy("e-"+label, n+3))
			}
			rep := tr.run()
			if rep.Totals.OK != 120 || rep.Exit != ExitOK {
				t.Fatalf("exit %d, totals %+v\n%s", rep.Exit, rep.Totals, tr.stderr.String())
			}
			var out, errs strings.Builder
			for _, job := range []struct {
				id string
				n  int
			}{{"first", 20}, {"second", 40}, {"late", 20}, {"taker", 40}} {
				for i := range job.n {
					label := fmt.Sprintf("%s#%d", job.id, i)
					out.WriteString(wordy(label, i))
					errs.WriteString(wordy("e-"+label, i+3))
				}
			}
			if tr.stdout.String() != out.String() {
				t.Errorf("stdout is not in order: %d bytes, want %d", len(tr.stdout.String()), out.Len())
			}
			if got, want := tr.stderr.String(), errs.String(); !strings.HasPrefix(got, want) {
				at := 0
				for at < min(len(got), len(want)) && got[at] == want[at] {
					at++
				}
				t.Errorf("stderr is not in order from byte %d of %d on: %.200q, want %.200q", at, len(want), got[at:], want[at:])
			}
		})
	}
}

// What has ended before its turn is kept also where the store has no room for it.
func TestOrder_KeepsWhatThereIsNoRoomFor(t *testing.T) {
	t.Parallel()
	store, err := journal.OpenOutputs(t.TempDir(), 100<<10)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var out, errs safeBuffer
	l := newLedger(&out, &errs, nil, func(to stream, err error) { t.Errorf("%s: %v", to, err) })
	l.order = newOrder(1, store, t.TempDir(), func() {})
	l.start()
	job := plansOf(t, "jobs: [{id: a, task: echo, foreach: {range: 1..20}}]", Settings{})[0]
	js := &jobState{plan: job}
	var want [2]string
	for i := range int64(20) {
		want[0] += strings.Repeat(fmt.Sprint("o", i), 7000) + "line\n"
		want[1] += strings.Repeat(fmt.Sprint("e", i), 300)
	}
	for i := int64(19); i >= 0; i-- {
		res := printing(strings.Repeat(fmt.Sprint("o", i), 7000), strings.Repeat(fmt.Sprint("e", i), 300))
		l.commit(&entry{in: &Instance{Job: job.job, plan: job, state: js, Index: i}, stdout: &res.Stdout, stderr: &res.Stderr, line: []byte("line\n")})
	}
	l.close()
	if out.String() != want[0] || errs.String() != want[1] {
		t.Errorf("%d and %d bytes, want %d and %d", len(out.String()), len(errs.String()), len(want[0]), len(want[1]))
	}
	if l.order.beyond.file != nil || len(l.order.parked) > 0 {
		t.Error("something is left")
	}
}

// With little room left nothing but the head is started until there is more.
func TestOrder_HeadGoesOnWithoutRoom(t *testing.T) {
	t.Parallel()
	tr := setup(t, "{output: order, jobs: [{id: a, run: [x], foreach: {range: 1..30}}, {id: b, run: [x], foreach: {range: 1..100}}]}")
	journaled(tr, orderRoom+3<<20, "")
	c := crewed(tr, 30)
	text := func(in *Instance) string { return strings.Repeat(in.Label()+"\n", 300<<10/len(in.Label())) }
	var begun atomic.Bool
	c.begun = func(in *Instance, _ int) {
		if in.Job.ID == "b" {
			begun.Store(true)
		}
	}
	c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
		if in.Job.ID == "a" && in.Index == 0 && begun.Load() {
			t.Error("b began before the head")
		}
		return time.Duration(100-in.Index) * time.Second, printing(text(in), "")
	}
	rep := tr.run()
	if rep.Exit != ExitOK || rep.Totals.OK != 130 {
		t.Fatalf("exit %d, totals %+v: %s", rep.Exit, rep.Totals, tr.stderr.String())
	}
	got, at := tr.stdout.String(), 0
	for _, job := range []string{"a", "b"} {
		for i := range map[string]int{"a": 30, "b": 100}[job] {
			label := fmt.Sprintf("%s#%d\n", job, i)
			n := (300 << 10) / (len(label) - 1)
			if want := strings.Repeat(label, n); !strings.HasPrefix(got[at:], want) {
				t.Fatalf("%q is not where it belongs", label)
			}
			at += n * len(label)
		}
	}
	if at != len(got) {
		t.Errorf("%d bytes too many", len(got)-at)
	}
}

func TestOrder_HeadIsPrintedAsItComes(t *testing.T) {
	t.Parallel()
	tr := setup(t, "{output: order, jobs: [{id: a, run: [x], foreach: {range: 1..4}}]}")
	tr.ex.auto = nil
	see := func(want string) {
		t.Helper()
		settleDown()
		if got := tr.stdout.String(); got != want {
			t.Errorf("stdout is %.100q (%d bytes), want %.100q (%d)", got, len(got), want, len(want))
		}
	}
	large := strings.Repeat("y", maxBuffered)
	tr.steer(func() {
		tr.ex.print("a#0", false, "0a")
		see("0a")
		tr.ex.print("a#1", false, "1a")
		tr.ex.print("a#1", true, "1e")
		tr.ex.print("a#2", false, "2"+large) // more than is kept
		tr.ex.print("a#3", false, "3a")
		see("0a")
		tr.ex.print("a#0", false, "0b")
		see("0a0b")
		tr.ex.end("a#0", printing("0a0b", ""))
		see("0a0b")
		tr.ex.print("a#1", false, "1b") // it became the head late
		see("0a0b1a1b")
		tr.ex.end("a#3", printing("3a", ""))
		tr.ex.end("a#1", printing("1a1b", "1e"))
		see("0a0b1a1b")
		tr.ex.print("a#2", false, "2b")
		see("0a0b1a1b") // it has missed that
		tr.ex.end("a#2", printing("2"+large+"2b", ""))
	})
	if got, want := tr.stdout.String(), "0a0b1a1b2"+large+"2b3a"; got != want {
		t.Errorf("stdout %.40q of %d bytes", got, len(got))
	}
	if n := strings.Count(tr.stderr.String(), "1e"); n != 1 {
		t.Errorf("stderr of a#1 came %d times", n)
	}
}

// One that wrote before it was the head, and nothing after, is printed at its end.
func TestOrder_QuietHeadIsPrintedAtItsEnd(t *testing.T) {
	t.Parallel()
	tr := setup(t, "{output: order, jobs: [{id: a, task: echo, foreach: {range: 1..2}}]}")
	tr.ex.auto = nil
	tr.steer(func() {
		tr.ex.print("a#1", false, "unfinished")
		tr.ex.end("a#0", saying("zero"))
		settleDown()
		res := printing("unfinished", "")
		res.Value = appendString(nil, "one")
		tr.ex.end("a#1", res)
	})
	if got, want := tr.stdout.String(), "zero\nunfinished\none\n"; got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
}

func TestOrder_WhatIsRetriedIsNotPrintedAsItComes(t *testing.T) {
	t.Parallel()
	tr := setup(t, "{output: order, jobs: [{id: a, run: [x], retry: 1}]}")
	tr.ex.auto = nil
	tr.steer(func() {
		in := tr.ex.open["a"]
		if in.Watched() {
			t.Error("its output is asked for")
		}
		tr.ex.o.Retrying(in, printing("first\n", ""), time.Second)
		tr.ex.o.Started(in, Attempt{Number: 2})
		tr.ex.end("a", printing("second\n", ""))
	})
	if got := tr.stdout.String(); got != "second\n" {
		t.Errorf("stdout %q", got)
	}
}

// bounded runs a file with a head that takes its time, and looks how far the
// others have got.
func bounded(t *testing.T, file, head string, n, limit int) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs many instances")
	}
	tr := setup(t, file)
	tr.cfg.Events = nil
	tr.ex.auto = func(in *Instance) *pool.Result {
		if in.Label() == head {
			return nil
		}
		return printing(in.Label()+"\n", "")
	}
	rep := tr.steer(func() {
		if got := len(tr.ex.submitted()); got > limit || got < maxAhead/2 {
			t.Errorf("%d instances were started beyond the head, want at most %d", got, limit)
		}
		tr.ex.end(head, printing(head+"\n", ""))
	})
	if rep.Totals.OK != int64(n) || strings.Count(tr.stdout.String(), "\n") != n || !strings.HasPrefix(tr.stdout.String(), head+"\n") {
		t.Errorf("totals %+v, %d lines", rep.Totals, strings.Count(tr.stdout.String(), "\n"))
	}
}

func TestOrder_BoundsWhatWaits(t *testing.T) {
	t.Parallel()
	const n = maxAhead + 30000
	window := (&run{cfg: &Config{Workers: 2}}).window()
	for name, file := range map[string]string{
		"head":                   fmt.Sprintf("[{id: head, run: [x]}, {id: b, run: [x], foreach: {range: 1..%d}}]", n-1),
		"head#0":                 fmt.Sprintf("[{id: head, run: [x], foreach: {range: 1..%d}}]", n),
		"head with another next": fmt.Sprintf("[{id: head, run: [x]}, {id: b, run: [x], foreach: {range: 1..100}}, {id: c, priority: 9, run: [x], foreach: {range: 1..%d}}]", n-101),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			head, _, _ := strings.Cut(name, " ")
			bounded(t, "{output: order, jobs: "+file+"}", head, n, maxAhead+window)
		})
	}
}

// The job whose turn it is gets to its source though as many as are read at a time
// wait for it.
func TestOrder_HeadIsReadWhateverElseIsOpen(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs many instances")
	}
	file := "output: order\njobs:\n" +
		"  - {id: slow, run: [x]}\n" +
		"  - {id: quick, run: [x]}\n" +
		"  - {id: head, needs: slow, run: [x], foreach: {lines: few.txt}}\n"
	for i := range maxOpen - 1 {
		file += fmt.Sprintf("  - {id: c%d, needs: quick, max_parallel: 1, run: [x], foreach: {lines: few.txt}}\n", i)
	}
	file += "  - {id: many, needs: quick, run: [x], foreach: {lines: many.txt}}\n"
	tr := setup(t, file)
	const n = maxAhead + 10000
	tr.write("few.txt", "a\nb\n")
	tr.write("many.txt", strings.Repeat("m\n", n))
	tr.cfg.Events = nil
	held := atomic.Bool{}
	held.Store(true)
	tr.ex.auto = func(in *Instance) *pool.Result {
		if held.Load() && in.Job.ID != "quick" && in.Job.ID != "many" {
			return nil
		}
		return printing(in.Label()+"\n", "")
	}
	rep := tr.steer(func() {
		held.Store(false)
		for i := range maxOpen - 1 {
			tr.ex.end(fmt.Sprintf("c%d#0", i), ok())
		}
		tr.ex.end("slow", ok())
		settleDown()
		if !slices.Contains(tr.ex.submitted(), "head#0") {
			t.Error("the head is not started, and everything else waits for it")
			tr.signals <- syscall.SIGTERM
		}
	})
	if want := int64(2 + 2 + 2*(maxOpen-1) + n); rep.Totals.OK != want {
		t.Errorf("%d are ok, want %d", rep.Totals.OK, want)
	}
}

func TestOrder_HaltPrintsWhatIsThereInOrder(t *testing.T) {
	t.Parallel()
	tr := setup(t, "{output: order, jobs: [{id: a, run: [x], foreach: {range: 1..6}}, {id: b, run: [x]}]}")
	tr.ex.auto = nil
	rep := tr.steer(func() {
		for _, l := range []string{"b", "a#4", "a#2", "a#0"} {
			tr.ex.end(l, printing(l+"\n", ""))
		}
		settleDown()
		tr.signals <- syscall.SIGTERM
	})
	if got := tr.stdout.String(); got != "a#0\na#2\na#4\nb\n" || rep.Exit != ExitSignal+15 {
		t.Errorf("exit %d, stdout %q", rep.Exit, got)
	}
}

func TestOrder_GoesOnPastWhatPrintsNothing(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
output: order
jobs:
  - {id: bad, run: [x]}
  - {id: skipped, run: [x], needs: bad, foreach: {range: 1..5}}
  - {id: unread, run: [x], needs: bad, foreach: {lines: none.txt}}
  - {id: there, run: [x], foreach: [1, 2, 3], creates: job.there}
  - {id: only, run: [x], foreach: {range: 0..9}}
  - {id: lines, run: [x], foreach: {jsonl: in.jsonl}}
  - {id: none, run: [x], foreach: {lines: empty.txt}}
  - {id: last, run: [x]}
  - {id: after, run: [x], needs: bad, when: always}
`)
	tr.write("job.there", "")
	tr.write("empty.txt", "")
	tr.write("in.jsonl", "1\n{\n2\n")
	tr.cfg.Only = map[string][]int64{"only": {3, 7}}
	tr.ex.auto = nil
	tr.steer(func() {
		// Each is printed as soon as those before it are through.
		for _, l := range []string{"bad", "only#3", "only#7", "lines#0", "lines#2", "last", "after"} {
			res := printing(l+"\n", "")
			if l == "bad" {
				res.Outcome, res.ExitCode = pool.Failed, 1
			}
			settleDown()
			tr.ex.end(l, res)
			settleDown()
			if !strings.HasSuffix(tr.stdout.String(), l+"\n") {
				t.Errorf("%s has ended, and stdout is %q", l, tr.stdout.String())
			}
		}
	})
	if got, want := tr.stdout.String(), "bad\nonly#3\nonly#7\nlines#0\nlines#2\nlast\nafter\n"; got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
}

func TestOrder_TagsEachLine(t *testing.T) {
	t.Parallel()
	tr := setup(t, "{output: order, jobs: [{id: a, task: echo, foreach: [p, q, r]}]}")
	tr.cfg.Tag = (*Instance).ItemText
	tr.ex.auto = nil
	tr.steer(func() {
		for _, i := range []int{2, 1, 0} {
			res := printing("x\ny", "e")
			res.Value = appendString(nil, "z")
			tr.ex.end(fmt.Sprintf("a#%d", i), res)
		}
	})
	want := ""
	for _, tag := range []string{"p", "q", "r"} {
		want += strings.ReplaceAll("T\tx\nT\ty\nT\tz\n", "T", tag)
	}
	if got := tr.stdout.String(); got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
	if got := tr.stderr.String(); !strings.HasPrefix(got, "p\te\nq\te\nr\te\n") {
		t.Errorf("stderr %q", got)
	}
}

func TestOrder_LeavesNoFileBehind(t *testing.T) {
	t.Parallel()
	tr := setup(t, inLevels)
	tr.cfg.SpillDir = t.TempDir()
	c := crewed(tr, 9)
	c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
		return time.Duration(20-in.Index%20) * time.Second, printing(strings.Repeat("x", 200<<10), "")
	}
	tr.run()
	if left, _ := os.ReadDir(tr.cfg.SpillDir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOverflow_GivesBackWhatWasPut(t *testing.T) {
	t.Parallel()
	o := overflow{dir: t.TempDir()}
	defer o.close()
	var at []stretch
	text := func(i int) (string, string) { return strings.Repeat("o", i*1000), strings.Repeat("e", i*7) }
	for i := range 20 {
		out, errs := text(i + 1)
		s, err := o.put(&content{b: []byte(out)}, &content{b: []byte(errs)})
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, s)
	}
	for i, s := range slices.Backward(at) {
		out, errs := o.reader(s)
		gotOut, err1 := io.ReadAll(out)
		gotErrs, err2 := io.ReadAll(errs)
		if wantOut, wantErrs := text(i + 1); err1 != nil || err2 != nil || string(gotOut) != wantOut || string(gotErrs) != wantErrs {
			t.Errorf("output %d came back with %d and %d bytes: %v, %v", i, len(gotOut), len(gotErrs), err1, err2)
		}
		o.printed()
	}
	if o.file != nil {
		t.Error("the file is open though all was printed")
	}
}
