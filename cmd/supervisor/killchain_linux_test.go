package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feac4032/multiproc/internal/journal"
)

const defaultKills = 20

// manyKills makes the test of kills as long as one likes.
var manyKills = flag.Int("kills", defaultKills, "how often TestKill_CostsNothingThatWasRecorded kills a run")

// mixed are 2,000 instances of all kinds: commands, tasks, items and lines of
// other jobs, and some that need another attempt.
const mixed = `
defaults: {retry: {max: 1, backoff: 1ms, causes: [failed]}}
jobs:
  - id: cmd
    run: [sh, -c, 'echo "c$0"; echo "e$0" >&2', "{{.item}}"]
    foreach: {range: 1..300}
  - id: echo
    task: echo
    foreach: {range: 1..900}
  - id: from
    task: echo
    foreach: {from: cmd}
  - id: flaky
    shell: '[ "$ATTEMPT" = 2 ] && echo "f$ITEM"'
    foreach: {range: 1..100}
  - id: lines
    task: echo
    args: {line: "{{.item}}"}
    foreach: {lines_of: flaky}
  - id: last
    task: echo
    args: {all: "{{.item}}"}
    needs: [lines, from]
    foreach: {range: 1..300}
`

// what is said of an instance, whatever its index, which for items of another job
// is that of their coming.
type what struct{ stdout, stderr, result, outcome string }

func byItem(records []record) map[string]what {
	m := make(map[string]what, len(records))
	for _, rec := range records {
		m[rec.job+" "+rec.item] = what{rec.stdout, rec.stderr, rec.result, rec.outcome}
	}
	return m
}

// TestKill_CostsNothingThatWasRecorded kills runs, and those that resume them, at
// random moments: the supervisor, its guardian, or both. In the end everything has
// been recorded as of a run that nobody killed, nothing twice, and nothing was
// printed twice or without being recorded.
func TestKill_CostsNothingThatWasRecorded(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))

	clean := newTrial(t)
	clean.write("job.yaml", mixed)
	c := clean.call("run", "-workers", "3", "-no-progress")
	c.want(clean, 0)
	whole, _ := clean.records()
	want := byItem(whole[0])
	if len(want) != 2000 || len(whole[0]) != 2000 {
		t.Fatalf("a clean run has %d records of %d instances", len(whole[0]), len(want))
	}
	kills, chains, enough := 0, 0, *manyKills
	if testing.Short() {
		enough /= 4
	}
	victims := map[string]int{}
	for kills < enough && !t.Failed() {
		chains++
		r := newTrial(t)
		r.write("job.yaml", mixed)
		var printed [][]byte
		for n := 0; ; n++ {
			// A quarter of the kills meets the beginning of a run, which carries or makes
			// its journal then.
			after := time.Duration(rnd.Int64N(int64(c.wall * 3 / 4)))
			if rnd.IntN(4) == 0 {
				after = time.Duration(rnd.Int64N(int64(100 * time.Millisecond)))
			}
			victim := []string{"supervisor", "supervisor", "supervisor", "guardian", "both"}[rnd.IntN(5)]
			if kills == enough {
				victim = "none"
			}
			out, code, killed := r.killed(n, victim, after)
			printed = append(printed, out)
			if killed {
				kills++
				victims[victim]++
			}
			if code == 0 {
				break
			}
			if !killed {
				t.Errorf("seed %d: run %d ended with %d, and nobody has killed anything", seed, n, code)
				break
			}
		}
		r.chain(printed, want)
	}
	t.Logf("%d kills in %d chains: %v; a clean run takes %v", kills, chains, victims, c.wall)
}

// killed calls the supervisor for the n-th time, and kills somebody after a while.
func (r *trial) killed(n int, victim string, after time.Duration) (stdout []byte, code int, killed bool) {
	r.Helper()
	args := []string{"run", "-workers", "3", "-no-progress"}
	if n > 0 {
		args = append(args, "-resume")
	}
	cmd := r.command(args...)
	path := filepath.Join(r.dir, fmt.Sprintf("out%d", n))
	out, err := os.Create(path)
	if err != nil {
		r.Fatal(err)
	}
	defer out.Close()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	r.start(cmd)
	ended := make(chan call, 1)
	go func() { ended <- r.finish(cmd) }()
	var c call
	select {
	case c = <-ended:
	case <-time.After(after):
		guardian := 0
		if victim == "guardian" || victim == "both" {
			guardian = childOf(cmd.Process.Pid)
		}
		if guardian > 0 {
			killed = syscall.Kill(guardian, syscall.SIGKILL) == nil
		}
		if victim == "supervisor" || victim == "both" {
			killed = true
			cmd.Process.Kill()
		}
		c = <-ended
	}
	switch {
	case c.code == 0:
		killed = killed && victim != "supervisor" // it was too late
	case killed && c.code == 137, killed && victim == "guardian" && c.code == 5:
	default:
		r.Errorf("run %d, %s killed after %v: exit code %d\n%s", n, victim, after, c.code, shorten(stderr.String()))
	}
	if n%4 != 0 || c.code == 0 { // otherwise the next run meets what is left of this one
		r.gone()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		r.Fatal(err)
	}
	return b, c.code, killed
}

// childOf is the first child of a process, 0 = it has none.
func childOf(pid int) (child int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		if n, _ := fmt.Sscan(string(b), &child); n == 1 {
			return child
		}
	}
	return 0
}

// chain checks what all runs of a chain, of which the last one has ended, have
// recorded and printed.
func (r *trial) chain(printed [][]byte, want map[string]what) {
	r.Helper()
	runs, infos := r.records()
	done := map[string]string{}
	lines := map[string]int{} // how often it is recorded that somebody has printed it
	for _, records := range runs {
		for _, rec := range records {
			if rec.resumed {
				continue
			}
			lines[strings.TrimSuffix(rec.stdout, "\n")]++
			if rec.outcome != "ok" {
				continue // its guardian was killed
			}
			name := rec.job + " " + rec.item
			if at, twice := done[name]; twice {
				r.Errorf("%s was ok in run %s and again in %s", name, at, rec.run)
			}
			done[name] = rec.run
		}
	}
	last := runs[len(runs)-1]
	if diff := cmp.Diff(want, byItem(last), cmp.AllowUnexported(what{})); diff != "" || len(last) != len(want) {
		r.Errorf("%d records in the end, want %d:\n%s", len(last), len(want), shorten(diff))
	}
	if info := infos[len(infos)-1]; info.State != journal.Ended || info.End.ExitCode != 0 {
		r.Errorf("the last run is %s, with %d", info.State, info.End.ExitCode)
	}
	for n, out := range printed {
		for line := range bytes.Lines(out) {
			text, whole := bytes.CutSuffix(line, []byte("\n"))
			if !whole || text[0] != 'c' && text[0] != 'f' {
				continue // the result of a task is not part of its stdout
			}
			if lines[string(text)]--; lines[string(text)] < 0 {
				r.Errorf("%s was printed by run %d, and more often than is recorded", text, n)
			}
		}
	}
	names, err := os.ReadDir(filepath.Join(r.dir, ".supervisor"))
	if err != nil {
		r.Fatal(err)
	}
	for _, e := range names {
		if e.Name() != "runs" && e.Name() != ".gitignore" {
			r.Errorf("%s is left in the state folder", e.Name())
		}
	}
}
