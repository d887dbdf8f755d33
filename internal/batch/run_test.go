package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/feac4032/multiproc/pool"
)

func TestRun_StartsInFileOrderAfterNeeds(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: last, run: [x], needs: [b, c]}
  - {id: a, run: [x], foreach: [1, 2]}
  - {id: b, run: [x], needs: a}
  - {id: c, run: [x]}
`)
	rep := tr.run()
	want := []string{"a#0", "a#1", "c", "b", "last"}
	if got := tr.ex.submitted(); !slices.Equal(got, want) {
		t.Errorf("started %v, want %v", got, want)
	}
	if rep.Exit != ExitOK || rep.Totals.OK != 5 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}

func TestRun_NeedWaitsForEveryInstance(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: [1, 2]}
  - {id: b, run: [x], needs: a}
`)
	tr.ex.auto = nil
	tr.steer(func() {
		tr.ex.end("a#1", ok())
		settleDown()
		if got := tr.ex.submitted(); slices.Contains(got, "b") {
			t.Error("b started while a#0 ran")
		}
		tr.ex.end("a#0", ok())
		settleDown()
		tr.ex.end("b", ok())
	})
	if got := tr.ex.submitted(); len(got) != 3 {
		t.Errorf("started %v", got)
	}
}

func TestRun_UnmetNeedSkipsOnceForEachInstance(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: [1, 2]}
  - {id: b, run: [x], needs: a, foreach: {range: 1..3}, matrix: {m: [1, 2]}}
  - {id: c, run: [x], needs: b}
  - {id: d, run: [x], needs: a, foreach: {lines: never-made.txt}}
  - {id: e, run: [x]}
`)
	tr.ex.auto = okBut("a#1")
	rep := tr.run()
	// Six instances of b, one of c, and d as one.
	if rep.Totals.Skipped != 8 || rep.Totals.OK != 2 || rep.Totals.Failed != 1 || rep.Exit != ExitNotOK {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
	if !strings.Contains(string(rep.First), `"a"`) {
		t.Errorf("first failure is %s", rep.First)
	}
	for _, e := range tr.eventList() {
		if e["job"] == "d" && (e["index"] != nil || e["outcome"] != "skipped") {
			t.Errorf("job that was not expanded: %v", e)
		}
	}
}

func TestRun_SkipsManyWithoutListingThem(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x]}
  - {id: b, run: [x], needs: a, foreach: {range: 1..1000000000}}
`)
	tr.cfg.Events = nil
	tr.ex.auto = okBut("a")
	rep := tr.run()
	if rep.Totals.Skipped != 1e9 || len(rep.Failures) != maxFailures || rep.Omitted != 1e9+1-maxFailures {
		t.Errorf("totals %+v, %d failures, %d omitted", rep.Totals, len(rep.Failures), rep.Omitted)
	}
}

func TestRun_ContinueOnErrorLetsNeedsPass(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], continue_on_error: true}
  - {id: b, run: [x], needs: a}
`)
	tr.ex.auto = okBut("a")
	rep := tr.run()
	if rep.Totals.OK != 1 || rep.Totals.Failed != 1 || rep.Exit != ExitNotOK {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}

func TestRun_IndexCountsForeachOutsideAndMatrixInside(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - id: a
    run: [x]
    foreach: [p, q]
    matrix: {w: [1, 2], f: [g, h], exclude: [{w: 1, f: h}]}
`)
	var got []string
	tr.ex.auto = func(in *Instance) *pool.Result {
		s := fmt.Sprint(in.Index, in.Item.Text())
		for _, f := range in.Matrix {
			s += " " + f.Name + f.Value.Text()
		}
		got = append(got, s)
		return ok()
	}
	tr.run()
	want := []string{"0p w1 fg", "1p w2 fg", "2p w2 fh", "3q w1 fg", "4q w2 fg", "5q w2 fh"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRun_MaxParallelHolds(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {range: 1..10}, max_parallel: 3}
`)
	tr.ex.auto = nil
	tr.steer(func() {
		for i := range 10 {
			settleDown()
			if n := tr.ex.underWay(); n > 3 || n == 0 {
				t.Errorf("%d are under way", n)
			}
			tr.ex.end(fmt.Sprintf("a#%d", i), ok())
		}
	})
	if tr.ex.most != 3 {
		t.Errorf("at most %d were under way, want 3", tr.ex.most)
	}
}

// endless yields lines without end, and counts how much was read.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
		if i%64 == 63 {
			p[i] = '\n'
		}
	}
	e.read += int64(len(p))
	return len(p), nil
}

func TestRun_ReadsNoFurtherThanItsWindow(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {lines: "-"}}
`)
	in := &endless{}
	tr.cfg.Stdin = in
	tr.ex.auto = nil
	rep := tr.steer(func() {
		window := (&run{cfg: &tr.cfg}).window()
		if n := tr.ex.underWay(); n != window {
			t.Errorf("%d are under way, want the window of %d", n, window)
		}
		if limit := int64(window*64 + 1<<20); in.read > limit {
			t.Errorf("%d bytes were read ahead, want at most %d", in.read, limit)
		}
		tr.signals <- syscall.SIGTERM
	})
	if rep.Exit != ExitSignal+15 {
		t.Errorf("exit %d", rep.Exit)
	}
}

func TestRun_LineOfASlowPipeStartsWhenItComes(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {lines: "-"}}
`)
	var rep *Report
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		tr.cfg.Stdin = in
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			rep = Run(context.Background(), tr.cfg)
		}()
		for i := range 3 {
			fmt.Fprintf(out, "line %d\n", i)
			synctest.Wait()
			if n := len(tr.ex.submitted()); n != i+1 {
				t.Errorf("%d started after %d lines", n, i+1)
			}
		}
		out.Close()
		<-ended
	})
	if rep.Totals.OK != 3 {
		t.Errorf("totals %+v", rep.Totals)
	}
}

func TestRun_LargeItemsNarrowTheWindow(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {lines: "-"}}
`)
	line := strings.Repeat("x", 1<<20) + "\n"
	tr.cfg.Stdin = strings.NewReader(strings.Repeat(line, 100))
	tr.ex.auto = nil
	tr.steer(func() {
		if n := tr.ex.underWay(); n > maxBytes>>20+1 {
			t.Errorf("%d MiB are under way", n)
		}
		tr.signals <- syscall.SIGTERM
	})
}

func TestRun_MissingInputOfAJobWithNeedsIsOneFailure(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x]}
  - {id: b, run: [x], needs: a, foreach: {lines: made.txt}}
  - {id: c, run: [x], needs: b}
`)
	rep := tr.run()
	if rep.Totals.OK != 1 || rep.Totals.Failed != 1 || rep.Totals.Skipped != 1 || rep.Exit != ExitNotOK {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
	if !strings.Contains(string(rep.First), `"which":"input"`) {
		t.Errorf("first failure is %s", rep.First)
	}
}

func TestRun_InputThatANeedMakesIsRead(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x]}
  - {id: b, run: [x], needs: a, foreach: {lines: made.txt}}
`)
	tr.ex.auto = func(in *Instance) *pool.Result {
		if in.Job.ID == "a" {
			tr.write("made.txt", "one\n\nthree")
		}
		return ok()
	}
	if rep := tr.run(); rep.Totals.OK != 4 || rep.Exit != ExitOK {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}

func TestRun_MissingInputIsFoundBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x]}
  - {id: b, run: [x], foreach: {lines: missing.txt}}
  - {id: c, run: [x], foreach: {glob: "*.nothing"}}
`)
	rep := tr.run()
	if rep.Exit != ExitUsage || len(tr.ex.submitted()) != 0 {
		t.Errorf("exit %d, started %v", rep.Exit, tr.ex.submitted())
	}
	for _, want := range []string{"job.yaml:4:", "missing.txt: no such file", "job.yaml:5:", "no file matches"} {
		if !strings.Contains(tr.stderr.String(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, tr.stderr.String())
		}
	}
}

func TestRun_UnknownTaskIsFoundBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x]}
  - {id: b, task: ehco}
`)
	rep := tr.run()
	if rep.Exit != ExitUsage || len(tr.ex.submitted()) != 0 || !strings.Contains(tr.stderr.String(), `no task "ehco"`) {
		t.Errorf("exit %d, started %v, stderr %s", rep.Exit, tr.ex.submitted(), tr.stderr.String())
	}
}

func TestRun_BadLineOfJSONFailsAlone(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {jsonl: in.jsonl}}
`)
	tr.write("in.jsonl", "1\n{bad\n{\"a\": 2}\n")
	rep := tr.run()
	if rep.Totals.OK != 2 || rep.Totals.Failed != 1 || !strings.Contains(string(rep.First), `"index":1`) {
		t.Errorf("totals %+v, first %s", rep.Totals, rep.First)
	}
}

// broken fails to write from the start.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestRun_ReaderThatLeftHaltsTheRun(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, task: echo, foreach: {range: 1..1000}, max_parallel: 1}
  - {id: z, task: echo}
`)
	tr.cfg.Stdout = broken{&os.PathError{Op: "write", Path: "stdout", Err: syscall.EPIPE}}
	tr.ex.auto = func(in *Instance) *pool.Result {
		if in.Job.ID == "z" {
			return nil
		}
		if in.Index == 5 {
			return nil // until it is interrupted
		}
		return saying("x")
	}
	rep := tr.run()
	if rep.Exit != ExitInternal || rep.Totals.Jobs >= 1000 {
		t.Errorf("exit %d after %d jobs", rep.Exit, rep.Totals.Jobs)
	}
	if n := strings.Count(tr.stderr.String(), "nobody reads"); n != 1 {
		t.Errorf("stderr: %s", tr.stderr.String())
	}
}

func TestRun_FailuresOfChunksNameTheirItems(t *testing.T) {
	t.Parallel()
	tr := setup(t, `jobs: [{id: a, run: [x, "{{.items}}"], foreach: [p, q, r, s], chunk: 3}]`)
	tr.ex.auto = okBut("a#0", "a#1")
	rep := tr.run()
	for _, want := range []string{"a#0 (p … r, 3 items): failed", "a#1 (s): failed"} {
		if got := tr.stderr.String(); !strings.Contains(got, want) {
			t.Errorf("stderr %q, want %q", got, want)
		}
	}
	if got, want := string(rep.First), `"item":["p","q","r"]`; !strings.Contains(got, want) {
		t.Errorf("first failure %s, want %s", got, want)
	}
	if got, want := tr.events.String(), `"item":["s"]`; !strings.Contains(got, want) {
		t.Errorf("events %s, want %s", got, want)
	}
}

func TestRun_FailuresAreReproducedByLinesThatCanBeCopied(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ job, want string }{
		"argv":            {`{id: j, run: [x, 'a\b', "{{.item}}"], foreach: ["it's"]}`, `/dir && x 'a\b' 'it'\''s')`},
		"script":          {`{id: j, shell: x "$ITEM", foreach: [i]}`, `/dir && ITEM=i sh -c 'x "$ITEM"')`},
		"script of lines": {`{id: j, shell: "x\ny", foreach: [i]}`, `supervisor run /dir/job.yaml -only 'j#0'`},
		"hostile item":    {`{id: j, run: [x, "{{.item}}"], foreach: ["\e[2J"]}`, `supervisor run /dir/job.yaml -only 'j#0'`},
		"hostile env":     {`{id: j, run: [x], env: {A: "{{.item}}"}, foreach: ["\e[2J"]}`, `supervisor run /dir/job.yaml -only 'j#0'`},
		"task":            {`{id: j, task: echo, foreach: [i]}`, `supervisor run /dir/job.yaml -only 'j#0'`},
		"limited":         {`{id: j, run: [x, "{{.item}}"], limits: {memory: 1GiB}, foreach: [i]}`, `supervisor run /dir/job.yaml -only 'j#0'`},
		"kept apart":      {`{id: j, run: [x, "{{.item}}"], isolation: sandbox, foreach: [i]}`, `supervisor run /dir/job.yaml -only 'j#0'`},
		"limited item":    {`{id: j, run: [x, "{{.item}}"], limits: {memory: 1GiB}, foreach: {from: i}}`, ""},
		"task of items":   {`{id: j, task: echo, foreach: {from: i}}`, ""},
		"task of stdin":   {`{id: j, task: echo, foreach: {lines: "-"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := setup(t, "jobs:\n  - {id: i, run: [x], foreach: [1]}\n  - "+c.job)
			tr.cfg.Stdin = strings.NewReader("line\n")
			tr.ex.auto = okBut("j#0")
			tr.run()
			_, got, _ := strings.Cut(tr.stderr.String(), "to reproduce it: ")
			got, _, _ = strings.Cut(got, "\n")
			got = strings.TrimPrefix(strings.ReplaceAll(got, tr.cfg.File.Dir, "/dir"), "(cd ")
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// A chain of jobs that take each other's items ends from its front, while the
// dispatcher asks those at its back first.
func TestRun_ChainsEndWhenTheirFirstJobFailsLast(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: [1, 2]}
  - {id: b, run: [x], foreach: {from: a}}
  - {id: c, run: [x], foreach: {from: b}}
  - {id: d, run: [x], foreach: {from: c}}
  - {id: e, run: [x], needs: d, when: always}
`)
	tr.ex.auto = func(in *Instance) *pool.Result {
		if in.Label() == "a#1" {
			return nil
		}
		return ok()
	}
	rep := tr.steer(func() { tr.ex.end("a#1", failed(1)) })
	if rep.Exit != ExitNotOK || rep.Totals.OK != 5 || rep.Totals.Failed != 1 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}

func TestRun_FullDiskUnderStdoutLetsJobsGoOn(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, task: echo, foreach: {range: 1..50}}]")
	tr.cfg.Stdout = broken{syscall.ENOSPC}
	tr.ex.auto = func(*Instance) *pool.Result { return saying("x") }
	rep := tr.run()
	if rep.Exit != ExitInternal || rep.Totals.OK != 50 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}

func TestRun_LostEventsAreLostOutput(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, task: echo}]")
	tr.cfg.Events = broken{errors.New("boom")}
	if rep := Run(t.Context(), tr.cfg); rep.Exit != ExitInternal {
		t.Errorf("exit %d", rep.Exit)
	}
}

func TestRun_LeakedProcessesAreNotForgiven(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x]}]")
	tr.ex.leaked = []int{4711}
	rep := tr.run()
	if rep.Exit != ExitInternal || !slices.Equal(rep.Leaked, []int{4711}) {
		t.Errorf("exit %d, leaked %v", rep.Exit, rep.Leaked)
	}
}

func TestRun_WhatAnInstanceHadToLeaveCountsUntilItHasEnded(t *testing.T) {
	t.Parallel()
	for final, want := range map[bool]int{false: ExitInternal, true: ExitOK} {
		tr := setup(t, "jobs: [{id: a, run: [x]}]")
		tr.ex.final = final
		tr.ex.auto = func(*Instance) *pool.Result {
			r := saying("x")
			r.Leaked = []int{4711}
			return r
		}
		rep := tr.run()
		if rep.Exit != want || slices.Contains(rep.Leaked, 4711) == final || rep.Leaked == nil {
			t.Errorf("final %v: exit %d, leaked %v", final, rep.Exit, rep.Leaked)
		}
	}
}

func TestRun_ResultIsOneLine(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, task: echo, foreach: {range: 0..3}, max_parallel: 1}]")
	values := [][]byte{appendString(nil, "as it is"), {0xc0}, {0x92, 1, 0xa1, 'x'}, {7}}
	tr.ex.auto = func(in *Instance) *pool.Result {
		r := ok()
		r.Value = values[in.Index]
		return r
	}
	tr.run()
	if got, want := tr.stdout.String(), "as it is\n[1,\"x\"]\n7\n"; got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
}

func TestRun_OutputNonePrintsNothing(t *testing.T) {
	t.Parallel()
	tr := setup(t, "output: none\njobs: [{id: a, task: echo, foreach: {range: 1..3}}]")
	tr.ex.auto = func(*Instance) *pool.Result { return saying("x") }
	tr.run()
	if got := tr.stdout.String(); got != "" {
		t.Errorf("stdout %q", got)
	}
}

func TestRun_QuietSaysNothingWhenAllIsWell(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, task: echo}]")
	tr.cfg.Quiet = true
	tr.run()
	if got := tr.stderr.String(); got != "" {
		t.Errorf("stderr %q", got)
	}
}

func TestRun_EventOfAnEndFollowsItsOutput(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, task: echo, foreach: {range: 1..500}}]")
	tr.ex.auto = func(in *Instance) *pool.Result { return saying(fmt.Sprintf("<%d>", in.Index)) }
	// The events are checked as they are written against what stdout holds then.
	tr.cfg.Events = writerFunc(func(p []byte) (int, error) {
		out := tr.stdout.String()
		for line := range strings.Lines(string(p)) {
			if !strings.Contains(line, `"job.end"`) {
				continue
			}
			_, rest, _ := strings.Cut(line, `"index":`)
			n, _, _ := strings.Cut(rest, ",")
			if !strings.Contains(out, "<"+n+">") {
				t.Errorf("event of %s before its output", n)
			}
		}
		return tr.events.Write(p)
	})
	tr.run()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
