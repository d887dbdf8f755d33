package batch

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/pool"
)

func TestFrom_StartsWhileItsSourceRuns(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: [p, q, r]}
  - {id: b, run: [x], foreach: {from: a}}
`)
	tr.ex.auto = nil
	var items []string
	tr.steer(func() {
		tr.ex.end("a#2", ok())
		settleDown()
		if got := tr.ex.submitted(); !slices.Contains(got, "b#0") || slices.Contains(got, "b#1") {
			t.Errorf("started %v after the end of a#2", got)
		}
		items = append(items, tr.ex.open["b#0"].Item.Text())
		tr.ex.end("a#0", failed(1))
		settleDown()
		if slices.Contains(tr.ex.submitted(), "b#1") {
			t.Error("a failed instance gave its item")
		}
		tr.ex.end("a#1", ok())
		settleDown()
		items = append(items, tr.ex.open["b#1"].Item.Text())
		tr.ex.end("b#0", ok())
		tr.ex.end("b#1", ok())
	})
	if !slices.Equal(items, []string{"r", "q"}) {
		t.Errorf("items %v", items)
	}
}

// strange is the item with a number: of any type, with any bytes, small or large.
func strange(i int) config.Value {
	switch i % 5 {
	case 0:
		return config.String(fmt.Sprintf("%d \xff\x00\n\"{{x}}", i))
	case 1:
		return config.IntValue(int64(i))
	case 2:
		return config.MapValue([]config.Field{{Name: "n", Value: config.IntValue(int64(i))}, {Name: "x", Value: config.String(strings.Repeat("\xfe", i%300))}})
	case 3:
		return config.ListValue([]config.Value{config.Scalar("1.0"), config.Scalar("null"), config.BoolValue(i%2 == 0)})
	}
	return config.Scalar(fmt.Sprintf("%d.50", i))
}

func TestFrom_ItemsBeyondMemoryComeInOrderAndWhole(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: slow, run: [x]}
  - {id: a, run: [x], foreach: [1]}
  - {id: b, run: [x], needs: slow, foreach: {from: a}}
`)
	const n = 3 * feedItems
	f := tr.cfg.File.Jobs[1].Foreach
	f.List = nil
	for i := range n {
		f.List = append(f.List, strange(i))
	}
	tr.cfg.SpillDir = t.TempDir()
	tr.cfg.Events = nil
	var got []config.Value
	tr.ex.auto = func(in *Instance) *pool.Result {
		switch in.Job.ID {
		case "slow":
			return nil
		case "b":
			got = append(got, in.Item)
		}
		return ok()
	}
	rep := tr.steer(func() { tr.ex.end("slow", ok()) })
	if rep.Totals.OK != 2*n+1 || len(got) != n {
		t.Fatalf("%d items, totals %+v", len(got), rep.Totals)
	}
	for i, v := range got {
		if !v.Equal(strange(i)) || v.Type() != strange(i).Type() {
			t.Fatalf("item %d is %q, want %q", i, v.Text(), strange(i).Text())
		}
	}
	if left, _ := os.ReadDir(tr.cfg.SpillDir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A model of a queue against a feed with all sizes, in random turns.
func TestFeed_IsAQueueWhateverTheSizes(t *testing.T) {
	t.Parallel()
	f := &feed{dir: t.TempDir()}
	defer f.close()
	put, taken := 0, 0
	item := func(i int) string {
		size := i % 97
		if i%1000 == 999 {
			size = 700 << 10 // longer than many blocks
		}
		return fmt.Sprintf("%d:%s", i, strings.Repeat(string(rune('a'+i%26)), size))
	}
	take := func() {
		batch, err, ended := f.take(nil)
		if err != nil || ended != (f.ended && taken+len(batch) == put) {
			t.Fatalf("after %d of %d: %v, ended %v", taken, put, err, ended)
		}
		for _, it := range batch {
			if it.value.Text() != item(taken) {
				t.Fatalf("item %d is %.20q", taken, it.value.Text())
			}
			taken++
		}
	}
	const n = 40000
	for put < n {
		for range 1 + (put*7919)%3000 {
			f.put(config.String(item(put)))
			put++
		}
		for range (put * 31) % 9 {
			take()
		}
		if len(f.mem) > feedItems+batchItems || f.size > feedBytes+1<<20 || len(f.tail) > feedBlock+1<<20 {
			t.Fatalf("%d items of %d bytes are in memory, and %d bytes behind", len(f.mem), f.size, len(f.tail))
		}
	}
	f.end()
	for taken < put {
		take()
	}
	if _, err, ended := f.take(nil); err != nil || !ended {
		t.Errorf("behind the last: %v, ended %v", err, ended)
	}
}

func TestFrom_ADiskThatFailsIsOneFailure(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: slow, run: [x]}
  - {id: a, run: [x], foreach: {range: 1..20000}}
  - {id: b, run: [x], needs: slow, foreach: {from: a}}
  - {id: c, run: [x], needs: b}
`)
	tr.cfg.SpillDir = "/nowhere/at/all"
	tr.ex.auto = func(in *Instance) *pool.Result {
		if in.Job.ID == "slow" {
			return nil
		}
		return ok()
	}
	rep := tr.steer(func() { tr.ex.end("slow", ok()) })
	if rep.Exit != ExitNotOK || rep.Totals.Failed != 1 || rep.Totals.Skipped != 1 || !strings.Contains(string(rep.First), "no such file") {
		t.Errorf("exit %d, totals %+v, first %s", rep.Exit, rep.Totals, rep.First)
	}
}

func TestFeed_KeepsNothingOnADiskThatFails(t *testing.T) {
	t.Parallel()
	f := &feed{dir: t.TempDir() + "/missing"}
	for range 100_000 {
		f.put(config.String(strings.Repeat("x", 100)))
	}
	if len(f.tail) > 2*feedBlock {
		t.Errorf("%d bytes wait for a disk that has failed", len(f.tail))
	}
	for ended := false; !ended; {
		var err error
		if _, err, ended = f.take(nil); ended && err == nil {
			t.Error("what was lost is no error")
		}
	}
}

func TestFrom_SeveralTakeAndGoOn(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {range: 1..9}, chunk: 4}
  - {id: b, run: [x], foreach: {from: a}}
  - {id: b2, run: [x], foreach: {from: a}, chunk: 2}
  - {id: c, run: [x], foreach: {from: b}, matrix: {m: [1, 2]}}
`)
	got := map[string][]string{}
	tr.ex.auto = func(in *Instance) *pool.Result {
		for _, v := range in.Items {
			got[in.Job.ID] = append(got[in.Job.ID], v.Text())
		}
		if in.Items == nil {
			got[in.Job.ID] = append(got[in.Job.ID], in.Item.Text())
		}
		if in.Label() == "a#1" || in.Label() == "b#3" {
			return failed(1)
		}
		return ok()
	}
	rep := tr.run()
	for job, want := range map[string]string{
		"b": "1 2 3 4 9", "b2": "1 2 3 4 9", "c": "1 1 2 2 3 3 9 9",
	} {
		if s := strings.Join(got[job], " "); s != want {
			t.Errorf("%s took %s, want %s", job, s, want)
		}
	}
	if rep.Totals.Skipped != 0 || rep.Totals.Failed != 2 {
		t.Errorf("totals %+v", rep.Totals)
	}
}

func TestFrom_WhatBecomesOfTheTakers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, file string
		bad        []string
		started    []string
		skipped    int64
		exit       int
	}{
		{"some failed", `[{id: a, run: [x], foreach: [1, 2]}, {id: b, run: [x], foreach: {from: a}}, {id: c, run: [x], needs: b}]`,
			[]string{"a#0"}, []string{"a#0", "a#1", "b#0"}, 1, ExitNotOK},
		{"some failed, and that is let pass", `[{id: a, run: [x], foreach: [1, 2], continue_on_error: true}, {id: b, run: [x], foreach: {from: a}}, {id: c, run: [x], needs: b}]`,
			[]string{"a#0"}, []string{"a#0", "a#1", "b#0", "c"}, 0, ExitNotOK},
		{"some failed, and that is allowed", `[{id: a, run: [x], foreach: [1, 2], allow_failure: true}, {id: b, run: [x], foreach: {from: a}}, {id: c, run: [x], needs: b}]`,
			[]string{"a#0"}, []string{"a#0", "a#1", "b#0", "c"}, 0, ExitOK},
		{"all failed", `[{id: a, run: [x], foreach: [1, 2]}, {id: b, run: [x], foreach: {from: a}}, {id: c, run: [x], foreach: {from: b}}]`,
			[]string{"a#0", "a#1"}, []string{"a#0", "a#1"}, 2, ExitNotOK},
		{"all failed, and that is allowed", `[{id: a, run: [x], foreach: [1, 2], allow_failure: true}, {id: b, run: [x], foreach: {from: a}}, {id: c, run: [x], needs: b}]`,
			[]string{"a#0", "a#1"}, []string{"a#0", "a#1", "c"}, 0, ExitOK},
		{"the source was skipped", `[{id: z, run: [x]}, {id: a, run: [x], needs: z, foreach: [1, 2]}, {id: b, run: [x], foreach: {from: a}}, {id: c, run: [x], foreach: {from: b}}]`,
			[]string{"z"}, []string{"z"}, 4, ExitNotOK},
		{"the source did not run", `[{id: z, run: [x]}, {id: a, run: [x], needs: z, when: failed, foreach: [1, 2]}, {id: b, run: [x], foreach: {from: a}}, {id: c, run: [x], foreach: {from: b}}, {id: d, run: [x], needs: c}]`,
			nil, []string{"z"}, 5, ExitOK},
		{"another need failed", `[{id: a, run: [x], foreach: [1, 2]}, {id: z, run: [x]}, {id: b, run: [x], needs: z, foreach: {from: a}}, {id: c, run: [x], foreach: {from: b}}]`,
			[]string{"z"}, []string{"a#0", "a#1", "z"}, 2, ExitNotOK},
		{"another need did not run", `[{id: a, run: [x], foreach: [1, 2]}, {id: y, run: [x]}, {id: z, run: [x], needs: y, when: failed}, {id: b, run: [x], needs: z, foreach: {from: a}}, {id: c, run: [x], foreach: {from: b}}]`,
			nil, []string{"a#0", "a#1", "y"}, 3, ExitOK},
		{"always", `[{id: a, run: [x], foreach: [1, 2]}, {id: b, run: [x], when: always, foreach: {from: a}}, {id: c, run: [x], needs: b}]`,
			[]string{"a#0", "a#1"}, []string{"a#0", "a#1", "c"}, 0, ExitNotOK},
		{"failed, and some has", `[{id: a, run: [x], foreach: [1, 2]}, {id: b, run: [x], when: failed, foreach: {from: a}}]`,
			[]string{"a#1"}, []string{"a#0", "a#1", "b#0"}, 0, ExitNotOK},
		{"failed, and none has", `[{id: a, run: [x], foreach: [1, 2]}, {id: b, run: [x], when: failed, foreach: {from: a}}]`,
			nil, []string{"a#0", "a#1"}, 1, ExitOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tr := setup(t, "jobs: "+tc.file)
			tr.ex.auto = okBut(tc.bad...)
			rep := tr.run()
			got := tr.ex.submitted()
			slices.Sort(got)
			slices.Sort(tc.started)
			if !slices.Equal(got, tc.started) || rep.Totals.Skipped != tc.skipped || rep.Exit != tc.exit {
				t.Errorf("started %v, %d skipped, exit %d; want %v, %d, %d\n%s", got, rep.Totals.Skipped, rep.Exit, tc.started, tc.skipped, tc.exit, rep.Failures)
			}
			if rep.Exit == ExitOK && tc.bad == nil && len(rep.Failures) > 0 {
				t.Errorf("failures %s", rep.Failures)
			}
		})
	}
}

func TestFrom_WhatIsThereAlreadyIsPassedOn(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: [1, 2, 3], creates: "made{{.item}}"}
  - {id: b, run: [x], foreach: {from: a}}
`)
	tr.write("made2", "")
	rep := tr.run()
	if rep.Totals.OK != 5 || rep.Totals.Skipped != 1 || rep.Exit != ExitOK || len(rep.Failures) > 0 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
}

// An item goes all the way before many more begin, where there is one slot.
func TestFrom_ItemsGoAllTheWay(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {range: 1..50}}
  - {id: b, run: [x], foreach: {from: a}}
  - {id: c, run: [x], foreach: {from: b}}
`)
	c := crewed(tr, 1)
	tr.run()
	order := c.began()
	for i := range 47 {
		if slices.Index(order, fmt.Sprintf("c#%d", i)) > slices.Index(order, fmt.Sprintf("a#%d", i+3)) {
			t.Fatalf("three more items began before item %d was through: %v", i, order)
		}
	}
}

func TestFrom_HaltLeavesItemsAndFilesBehind(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
halt: soon,fail=1
jobs:
  - {id: a, run: [x], foreach: {range: 1..30}}
  - {id: b, run: [x], max_parallel: 1, foreach: {from: a}}
`)
	c := crewed(tr, 4)
	c.work = lasting(map[string]time.Duration{"b": time.Minute}, "b#0")
	tr.cfg.SpillDir = t.TempDir()
	rep := tr.run()
	if rep.Exit != ExitHalted || rep.Totals.OK != 30 || rep.Totals.Failed != 1 {
		t.Errorf("exit %d, totals %+v", rep.Exit, rep.Totals)
	}
	if left, _ := os.ReadDir(tr.cfg.SpillDir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
