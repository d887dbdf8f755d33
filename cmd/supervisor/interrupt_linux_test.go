package main

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interruptible is a file of quick instances, a slow one that says when it is up, and
// one that comes behind them.
const interruptible = `
jobs:
  - {id: quick, run: [echo, "q{{.item}}"], foreach: {range: 1..20}}
  - {id: slow, needs: quick, shell: 'echo up >> up; trap "" INT; until [ -e go ]; do sleep 0.05; done; echo slow'}
  - {id: deaf, needs: quick, shell: 'trap "" TERM INT; echo up >> deaf; until [ -e go ]; do sleep 0.05; done; echo deaf', kill_after: 200ms}
  - {id: many, needs: quick, task: echo, foreach: {range: 1..300}}
  - {id: behind, needs: [slow, deaf, many], shell: echo behind}
`

// TestSignal_LeavesARecordThatIsResumed ends runs by each signal. What has ended
// by itself is recorded as such, what was ended as that, and what was not started
// has no record.
func TestSignal_LeavesARecordThatIsResumed(t *testing.T) {
	t.Parallel()
	// What this process ignores, as under nohup, its children would ignore as well. What
	// it has a handler for they begin with as usual.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	t.Cleanup(func() { signal.Stop(ignored) })
	for name, c := range map[string]struct {
		send func(r *trial, pid int)
		code int
		slow string // what becomes of those that run
		says string
	}{
		"SIGINT lets them finish": {func(r *trial, pid int) {
			syscall.Kill(pid, syscall.SIGINT)
			r.saysSoon("may finish")
			r.write("go", "")
		}, 130, "ok", "2 running jobs may finish"},
		"SIGINT twice kills them": {func(r *trial, pid int) {
			syscall.Kill(pid, syscall.SIGINT)
			r.saysSoon("may finish")
			syscall.Kill(pid, syscall.SIGINT)
		}, 130, "cancelled", "killing what runs"},
		"SIGTERM ends them": {func(r *trial, pid int) { syscall.Kill(pid, syscall.SIGTERM) }, 143, "cancelled", "SIGTERM: ending 2 running jobs"},
		"SIGHUP ends them":  {func(r *trial, pid int) { syscall.Kill(pid, syscall.SIGHUP) }, 129, "cancelled", "SIGHUP: ending 2 running jobs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t)
			r.write("job.yaml", interruptible)
			cmd := r.command("run", "-no-progress", "-workers", "3", "-report", "r.json", "-events", "events")
			r.stderrTo(cmd)
			r.start(cmd)
			eventually(t, callLimit(), "the slow ones are up, and known to be", func() bool {
				return r.has("up", "up") && r.has("deaf", "up") && r.done("many") == 300 &&
					r.has("events", `"job.start","job":"slow"`) && r.has("events", `"job.start","job":"deaf"`)
			})
			c.send(r, cmd.Process.Pid)
			got := r.finish(cmd)
			got.stderr = r.read("stderr")
			got.want(r, c.code, c.says)
			runs, infos := r.records()
			outcomes := map[string][]string{}
			for _, rec := range runs[0] {
				outcomes[rec.job] = append(outcomes[rec.job], rec.outcome)
			}
			for job, want := range map[string][]string{
				"quick": slices.Repeat([]string{"ok"}, 20), "many": slices.Repeat([]string{"ok"}, 300),
				"slow": {c.slow}, "deaf": {c.slow}, "behind": nil,
			} {
				if !slices.Equal(outcomes[job], want) {
					t.Errorf("%s is recorded as %v", job, outcomes[job])
				}
			}
			if end := infos[0].End; end.ExitCode != c.code {
				t.Errorf("the journal has exit code %d", end.ExitCode)
			}
			totals := r.report("r.json").Totals
			if totals["jobs"] != int64(len(runs[0])) {
				t.Errorf("%d records, and the report has %v", len(runs[0]), totals)
			}
			r.write("go", "")
			again := r.call("run", "-no-progress", "-resume", "-report", "r.json")
			again.want(r, 0)
			want := []string{"behind"}
			if c.slow != "ok" {
				want = []string{"behind", "deaf", "slow"}
			}
			lines := strings.Fields(again.stdout)
			slices.Sort(lines)
			if !slices.Equal(lines, want) {
				t.Errorf("resuming has run %q, want %q", lines, want)
			}
			if totals := r.report("r.json").Totals; totals["ok"] != 323 {
				t.Errorf("in the end: %v", totals)
			}
		})
	}
}

// TestStop_CostsNoTimeouts stops the supervisor for longer than a second, which is
// a gap in its clock and nobody's timeout.
func TestStop_CostsNoTimeouts(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	r.write("job.yaml", `
defaults: {timeout: 4s}
jobs:
  - {id: up, shell: 'echo up >> up; sleep 2; echo long'}
  - {id: many, task: sleep, args: 20ms, foreach: {range: 1..60}}
`)
	cmd := r.command("run", "-no-progress", "-workers", "2", "-report", "r.json")
	r.stderrTo(cmd)
	r.start(cmd)
	eventually(t, callLimit(), "it is up", func() bool { return r.has("up", "up") })
	syscall.Kill(cmd.Process.Pid, syscall.SIGSTOP)
	time.Sleep(5 * time.Second) // what is tested is that nothing comes of it
	syscall.Kill(cmd.Process.Pid, syscall.SIGCONT)
	c := r.finish(cmd)
	c.stderr = r.read("stderr")
	c.want(r, 0)
	if rep := r.report("r.json"); rep.Totals["ok"] != 61 || rep.Totals["workers_lost"] != 0 {
		t.Errorf("totals %v, failures %+v", rep.Totals, rep.Failures)
	}
}

// TestHalt_LeavesARecordThatIsResumed ends runs by their deadline, and by
// policies.
func TestHalt_LeavesARecordThatIsResumed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags []string
		says  string
		code  int
	}{
		"deadline":   {[]string{"-deadline", "1s"}, "the deadline of 1s is over", 3},
		"now":        {[]string{"-halt", "now,fail=1"}, "halt now,fail=1 was reached", 3},
		"soon":       {[]string{"-halt", "soon,fail=3"}, "halt soon,fail=3 was reached", 3},
		"percentage": {[]string{"-halt", "soon,fail=20%"}, "halt soon,fail=20% was reached", 3},
		"success":    {[]string{"-halt", "now,success=10"}, "", 0},
		"fail-fast":  {[]string{"-fail-fast"}, "halt now,fail=1 was reached", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t)
			r.write("job.yaml", `
jobs:
  - id: e
    shell: '[ -e mended ] || { [ $((ITEM % 4)) != 3 ] || exit 1; sleep 0.05; }; echo "e$ITEM"'
    foreach: {range: 1..200}
`)
			halted := r.call(append([]string{"run", "-no-progress", "-workers", "2", "-report", "r.json"}, c.flags...)...)
			halted.want(r, c.code, c.says)
			runs, _ := r.records()
			ok := map[string]bool{}
			seen := map[int64]bool{}
			for _, rec := range runs[0] {
				if seen[rec.index] {
					t.Errorf("instance %d has two records", rec.index)
				}
				seen[rec.index] = true
				if rec.outcome == "ok" {
					ok[fmt.Sprint("e", rec.item)] = true
				}
			}
			if len(ok) == 0 || len(runs[0]) == 200 {
				t.Errorf("%d of %d are ok: nothing was halted", len(ok), len(runs[0]))
			}
			if totals := r.report("r.json").Totals; totals["jobs"] != int64(len(runs[0])) || totals["ok"] != int64(len(ok)) {
				t.Errorf("%d records with %d ok, and the report has %v", len(runs[0]), len(ok), totals)
			}
			r.write("mended", "")
			again := r.call("run", "-no-progress", "-resume", "-report", "r.json")
			again.want(r, 0)
			lines := strings.Fields(again.stdout)
			for _, line := range lines {
				if ok[line] {
					t.Errorf("%s was done again", line)
				}
			}
			if totals := r.report("r.json").Totals; totals["ok"] != 200 || len(lines)+len(ok) != 200 {
				t.Errorf("in the end %v; %d were ok and %d have run again", totals, len(ok), len(lines))
			}
		})
	}
}
