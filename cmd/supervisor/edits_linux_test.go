package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestResume_RunsWhatIsNew edits the items of a run between one resumption and the
// next: what was there runs no more, what is new does, in any order and number.
func TestResume_RunsWhatIsNew(t *testing.T) {
	t.Parallel()
	for range 3 {
		seed := uint64(time.Now().UnixNano())
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 0))
			r := newTrial(t)
			r.write("job.yaml", "jobs:\n  - {id: e, task: echo, foreach: {lines: items}}\n")
			var items []string
			for range 300 {
				items = append(items, fmt.Sprint(rnd.IntN(200))) // some of them twice
			}
			have := map[string]int{} // how many records the run before has of an item
			for round := range 6 {
				r.write("items", strings.Join(items, "\n")+"\n")
				args := []string{"run", "-no-progress", "-report", "r.json"}
				if round > 0 {
					args = append(args, "-resume")
				}
				c := r.call(args...)
				c.want(r, 0)
				var fresh []string
				want := map[string]int{}
				for _, item := range items {
					want[item]++
					if want[item] > have[item] {
						fresh = append(fresh, item)
					}
				}
				got := strings.Fields(c.stdout)
				slices.Sort(got)
				slices.Sort(fresh)
				if !slices.Equal(got, fresh) {
					t.Fatalf("round %d ran\n%q\nand is to run\n%q", round, got, fresh)
				}
				if totals := r.report("r.json").Totals; totals["ok"] != int64(len(items)) || totals["resumed"] != int64(len(items)-len(fresh)) {
					t.Errorf("round %d: totals %v, want %d of which %d are new", round, totals, len(items), len(fresh))
				}
				// What was left out this time stays with the run before, and is no record of this
				// one; resuming finds it there all the same.
				for item, n := range want {
					have[item] = max(have[item], n)
				}
				items = edit(rnd, items)
			}
			runs, _ := r.records()
			for n, records := range runs {
				seen := map[int64]bool{}
				for _, rec := range records {
					if seen[rec.index] {
						t.Errorf("run %d has instance %d twice", n, rec.index)
					}
					seen[rec.index] = true
				}
			}
		})
	}
}

// edit changes, inserts, deletes, moves and doubles some items.
func edit(rnd *rand.Rand, items []string) []string {
	items = slices.Clone(items)
	for range 40 {
		i := rnd.IntN(len(items))
		switch rnd.IntN(5) {
		case 0:
			items[i] = fmt.Sprint("changed", rnd.IntN(1000))
		case 1:
			items = slices.Insert(items, i, fmt.Sprint("new", rnd.IntN(1000)))
		case 2:
			items = slices.Delete(items, i, i+1)
		case 3:
			j := rnd.IntN(len(items))
			items[i], items[j] = items[j], items[i]
		case 4:
			items = append(items, items[i])
		}
	}
	if rnd.IntN(3) == 0 {
		rnd.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	}
	return items
}

// TestResume_IsRefusedWhileTheRunIsAlive resumes a run that goes on.
func TestResume_IsRefusedWhileTheRunIsAlive(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	r.write("job.yaml", `
jobs:
  - {id: e, task: echo, foreach: {range: 1..50}}
  - {id: h, shell: 'echo up >> up; exec sleep 100', needs: e}
`)
	first := r.command("run", "-no-progress")
	r.start(first)
	eventually(t, 20*time.Second, "the last job is up", func() bool { return r.has("up", "up") })
	for _, flags := range [][]string{{"-resume"}, {"-resume-from", "last"}} {
		r.call(append([]string{"run", "-no-progress"}, flags...)...).want(r, 6, "in use")
	}
	first.Process.Signal(syscall.SIGTERM)
	if c := r.finish(first); c.code != 128+int(syscall.SIGTERM) {
		t.Errorf("the first run ended with %d", c.code)
	}
	runs, _ := r.records()
	if len(runs) != 1 {
		t.Errorf("%d runs are recorded: those that were refused have none", len(runs))
	}
}

// TestResume_IsWonByOne lets several supervisors resume one run: what one of them
// does no other does again.
func TestResume_IsWonByOne(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		r := newTrial(t)
		r.write("job.yaml", "jobs:\n  - {id: e, shell: '[ -e go ] && echo $ITEM', foreach: {range: 1..40}}\n")
		r.call("run", "-no-progress", "-q").want(r, 1)
		r.write("go", "")
		var calls [3]call
		done := make(chan bool)
		for i := range calls {
			go func() {
				defer func() { done <- true }()
				calls[i] = r.call("run", "-resume", "-no-progress")
			}()
		}
		won := 0
		for range calls {
			<-done
		}
		for i, c := range calls {
			switch {
			case c.code == 0:
				won++
			case c.code != 6:
				t.Errorf("round %d: supervisor %d ended with %d\n%s", round, i, c.code, c.stderr)
			}
		}
		if won == 0 {
			t.Errorf("round %d: nobody won", round)
		}
		runs, _ := r.records()
		ran := map[string]int{}
		for _, records := range runs {
			for _, rec := range records {
				if rec.outcome == "ok" && !rec.resumed {
					ran[rec.item]++
				}
			}
		}
		for item, n := range ran {
			if n != 1 {
				t.Errorf("round %d: item %s was ok %d times", round, item, n)
			}
		}
		if len(ran) != 40 {
			t.Errorf("round %d: %d items were ok", round, len(ran))
		}
	}
}
