package batch

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/pool"
)

func TestLinesOf_AreThoseOfOKInstances(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, task: echo, foreach: {range: 0..6}, max_parallel: 1, continue_on_error: true}
  - {id: b, run: [x], foreach: {lines_of: a}}
  - {id: b2, run: [x], foreach: {lines_of: a}, chunk: 4}
`)
	large := strings.Repeat("z", 3*maxCopy)
	var got, chunked []string
	tr.ex.auto = func(in *Instance) *pool.Result {
		switch in.Job.ID {
		case "b":
			got = append(got, in.Item.Text())
			return ok()
		case "b2":
			for _, v := range in.Items {
				chunked = append(chunked, v.Text())
			}
			return ok()
		}
		var res *pool.Result
		switch in.Index {
		case 0:
			res = printing("one\ntwo", "not this\n") // unfinished
		case 1:
			res = printing("lost\n", "")
			res.Outcome, res.ExitCode = pool.Failed, 1
		case 2:
			res = ok() // nothing at all
		case 3:
			res = printing("three", "")
			res.Value = appendString(nil, "result")
		case 4:
			res = saying("alone")
		case 5:
			res = printing("\n", "")
		case 6:
			res = printing("crlf\r\n\xff\x00"+large, "")
		}
		return res
	}
	tr.run()
	want := []string{"one", "two", "three", "result", "alone", "", "crlf", "\xff\x00" + large}
	if !slices.Equal(got, want) {
		t.Errorf("lines %.200q", got)
	}
	if !slices.Equal(chunked, want) {
		t.Errorf("lines in chunks %.200q", chunked)
	}
}

func TestJSONLOf_BadLineFailsAlone(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, task: echo}
  - {id: b, run: [x, "{{.item.n}}"], foreach: {jsonl_of: a}}
`)
	tr.ex.auto = func(in *Instance) *pool.Result {
		if in.Job.ID != "a" {
			return ok()
		}
		res := printing("{\"n\": 1}\n{\"n\": 2\n\n", "")
		res.Value = []byte{0x81, 0xa1, 'n', 3} // a result is JSON as it is shown
		return res
	}
	rep := tr.run()
	if rep.Totals.OK != 3 || rep.Totals.Failed != 2 || !strings.Contains(string(rep.First), "the output of a:2: ") {
		t.Errorf("totals %+v, first %s", rep.Totals, rep.First)
	}
}

func TestLinesOf_NothingPrintedIsNothingToDo(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x]}, {id: b, run: [x], foreach: {lines_of: a}}, {id: c, run: [x], needs: b}]")
	if rep := tr.run(); rep.Totals.OK != 2 || rep.Exit != ExitOK {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}

// The file goes with the last of its readers, also with one that is skipped, and in
// a run that ends early.
func TestLinesOf_FileIsClosedBehindItsReaders(t *testing.T) {
	t.Parallel()
	for _, halts := range []bool{false, true} {
		tr := setup(t, `
jobs:
  - {id: a, run: [x]}
  - {id: bad, run: [x]}
  - {id: b, run: [x], foreach: {lines_of: a}}
  - {id: c, run: [x], needs: bad, foreach: {lines_of: a}}
  - {id: last, run: [x], needs: b}
`)
		if halts {
			tr.cfg.File.Jobs[2].MaxParallel = 1
		}
		tr.cfg.SpillDir = t.TempDir()
		files := func() (n int) {
			fds, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				t.Skip("open files cannot be listed here")
			}
			for _, fd := range fds {
				to, err := os.Readlink("/proc/self/fd/" + fd.Name())
				if err == nil && strings.HasPrefix(to, tr.cfg.SpillDir) {
					n++
				}
			}
			return n
		}
		tr.ex.auto = func(in *Instance) *pool.Result {
			switch in.Label() {
			case "a":
				return printing(strings.Repeat("line\n", 5000), "")
			case "bad":
				return failed(1)
			case "b#0":
				if n := files(); n != 1 {
					t.Errorf("%d files are open while the lines are read", n)
				}
				if halts {
					return nil
				}
			case "last":
				if n := files(); n != 0 {
					t.Errorf("%d files are open behind the last reader", n)
				}
			}
			return ok()
		}
		rep := tr.steer(func() {
			if halts {
				tr.signals <- os.Interrupt
				settleDown()
				tr.ex.end("b#0", ok())
			}
		})
		if n := files(); n != 0 {
			t.Errorf("halted %v: %d files are open at the end; totals %+v", halts, n, rep.Totals)
		}
		if !halts && rep.Totals.OK != 5002 {
			t.Errorf("totals %+v", rep.Totals)
		}
	}
}

func TestLinesOf_FileThatCannotBeMadeFailsItsReader(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x]}, {id: b, run: [x], foreach: {lines_of: a}}]")
	tr.cfg.SpillDir = "/nowhere/at/all"
	tr.ex.auto = func(*Instance) *pool.Result { return printing("x\n", "") }
	rep := tr.run()
	if rep.Totals.OK != 1 || rep.Totals.Failed != 1 || rep.Exit != ExitNotOK {
		t.Errorf("exit %d, totals %+v: %s", rep.Exit, rep.Totals, fmt.Sprint(tr.stderr.String()))
	}
}
