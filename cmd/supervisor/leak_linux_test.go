package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// leaked reads what a report says of processes that could not be ended.
func (r *trial) leaked() (pids []int) {
	r.Helper()
	var rep struct{ Leaked []int }
	if err := json.Unmarshal([]byte(r.read("r.json")), &rep); err != nil {
		r.Fatal(err)
	}
	return rep.Leaked
}

// TestLeak_IsNoneOnceItHasEnded has a job leave an orphan that may as well be of
// another one, which runs on. It ends with that, and is nobody's fault then.
func TestLeak_IsNoneOnceItHasEnded(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	r.write("job.yaml", `
jobs:
  - {id: bystander, shell: 'until [ -e go ]; do sleep 0.02; done'}
  - id: leaver
    shell: |
      (setsid env -i sh -c 'echo $$ >pid; exec sleep 1000' &)
      until [ -s pid ]; do sleep 0.02; done
  - {id: last, needs: leaver, shell: 'kill -0 $(cat pid) && touch go'}
`)
	r.call("run", "-workers", "3", "-no-progress", "-state", "none", "-report", "r.json", "job.yaml").want(r, 0)
	if pids := r.leaked(); len(pids) > 0 {
		t.Errorf("leaked are %v", pids)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(r.read("pid"))); err != nil || alive(pid) {
		t.Errorf("process %d is left, %v", pid, err)
	}
}

// TestLeak_OfWhatCannotBeKilledIsReported has a command that not even SIGKILL ends,
// frozen as it is. The run ends all the same, and says so.
func TestLeak_OfWhatCannotBeKilledIsReported(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for 16 s")
	}
	dir := "/sys/fs/cgroup/freezer/multiproc-leak-test-" + strconv.Itoa(os.Getpid())
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip("needs a freezer of cgroup version 1: ", err)
	}
	r := newTrial(t)
	file := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)
		eventually(t, 10*time.Second, "the group is empty", func() bool { return os.Remove(dir) == nil })
		r.call("run", "-state", "none", "next.yaml").want(r, 0) // and removes the record
	})
	r.write("next.yaml", "jobs: [{id: a, run: ['true']}]")
	r.write("job.yaml", `
jobs:
  - id: frozen
    shell: 'echo $$ >pid.new && mv pid.new pid; exec sleep 1000'
    timeout: 1s
    kill_after: 100ms
    retry: 3
`)
	cmd := r.command("run", "-workers", "2", "-no-progress", "-state", "none", "-report", "r.json", "job.yaml")
	r.stderrTo(cmd)
	r.start(cmd)
	eventually(t, callLimit(), "the command is up", func() bool { return r.has("pid", "\n") })
	pid, err := strconv.Atoi(strings.TrimSpace(r.read("pid")))
	if err != nil {
		t.Fatal(err)
	}
	file("cgroup.procs", strconv.Itoa(pid))
	file("freezer.state", "FROZEN")
	c := r.finish(cmd)
	c.stderr = r.read("stderr")
	c.want(r, 5, "processes that could not be ended: ["+strconv.Itoa(pid)+"]")
	if c.wall > 40*time.Second {
		t.Errorf("took %v", c.wall)
	}
	if pids := r.leaked(); !slices.Equal(pids, []int{pid}) {
		t.Errorf("leaked are %v, want %d", pids, pid)
	}
	f := r.report("r.json").Failures
	if len(f) != 1 || f[0].Outcome != "timeout" || !strings.Contains(f[0].Evidence, "not tried again") {
		t.Errorf("failures are %+v", f)
	}
}
