package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// escapes are commands whose descendants are hard to find. Each makes the file
// named by $UP once the last of them is there.
var escapes = []string{
	`touch $UP; exec sleep 1000`,
	`setsid sh -c 'touch $UP; exec sleep 1000' & wait`,
	`(setsid sh -c '(setsid sh -c "touch \$UP; exec sleep 1000" &)' &); exec sleep 1000`,
	`sleep 1000 | (touch $UP; exec sleep 1000) | sleep 1000`,
	`trap '' TERM HUP INT QUIT; touch $UP; sleep 1000; sleep 1000`,
	`touch $UP; kill -STOP $$; exec sleep 1000`,
	`(setsid env -i PATH=$PATH UP=$UP sh -c 'touch $UP; exec sleep 1000' &); exec sleep 1000`,
}

// TestKill_LeavesNothing kills the supervisor, and in other runs its guardian,
// while commands run that try to get away.
func TestKill_LeavesNothing(t *testing.T) {
	t.Parallel()
	users := []uint32{uint32(os.Getuid())}
	if os.Getuid() == 0 {
		users = append(users, 65534)
	}
	for _, uid := range users {
		for _, victim := range []string{"supervisor", "guardian"} {
			t.Run(fmt.Sprintf("%s of uid %d", victim, uid), func(t *testing.T) {
				t.Parallel()
				killRun(t, victim, uid)
			})
		}
	}
}

func killRun(t *testing.T, victim string, uid uint32) {
	dir, err := os.MkdirTemp("", "sweep") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "supervisor")
	copyFile(t, binary)
	var file strings.Builder
	file.WriteString("jobs:\n")
	for i, script := range escapes {
		fmt.Fprintf(&file, "  - id: job%d\n    shell: |\n      %s\n    env: {UP: %q}\n", i, script, filepath.Join(dir, "up"+strconv.Itoa(i)))
	}
	file.WriteString("  - id: warm\n    task: hang\n")
	if err := os.WriteFile(filepath.Join(dir, "job.yaml"), []byte(file.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "run", "-workers", strconv.Itoa(len(escapes)+1), "-state", "none", "job.yaml")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asSupervisor+"=1", "TMPDIR="+dir, "XDG_RUNTIME_DIR="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if uid != uint32(os.Getuid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		for _, pid := range inFolder(dir) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}()
	eventually(t, 20*time.Second, "all commands are up", func() bool {
		for i := range escapes {
			if _, err := os.Stat(filepath.Join(dir, "up"+strconv.Itoa(i))); err != nil {
				return false
			}
		}
		return true
	})
	running := inFolder(dir)
	if len(running) < 2*len(escapes) {
		t.Fatalf("only %d processes run", len(running))
	}
	target := cmd.Process.Pid
	if victim == "guardian" {
		target = guardianOf(t, cmd.Process.Pid)
	}
	if err := syscall.Kill(target, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	eventually(t, 2*time.Second, "everything has ended", func() bool {
		for _, pid := range running {
			if pid != cmd.Process.Pid && alive(pid) {
				return false
			}
		}
		return true
	})
	t.Logf("%d processes were gone after %v", len(running), time.Since(killed))
	err = cmd.Wait()
	if victim == "guardian" {
		if code := cmd.ProcessState.ExitCode(); code != 5 {
			t.Errorf("exit code %d (%v), want 5: the fault is ours\n%s", code, err, stderr.String())
		}
	}
	if left := inFolder(dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*multiproc*")); len(left) > 0 {
		t.Errorf("files %v are left", left)
	}
}

func copyFile(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// A child that is forked while this is open for writing has it too until it executes
	// something, and nobody can execute it then.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// inFolder returns the living processes whose working directory or program is
// in dir.
func inFolder(dir string) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		for _, link := range []string{"/cwd", "/exe"} {
			if to, err := os.Readlink(p + link); err == nil && strings.HasPrefix(to, dir) {
				pid, _ := strconv.Atoi(filepath.Base(p))
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// alive reports whether a process is there and no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return len(rest) > 0 && rest[0] != 'Z' && rest[0] != 'X'
}

// guardianOf returns the child of the supervisor.
func guardianOf(t *testing.T, supervisor int) int {
	t.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", supervisor))
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, f := range strings.Fields(string(b)) {
			pid, _ := strconv.Atoi(f)
			return pid
		}
	}
	t.Fatal("the supervisor has no child")
	return 0
}

func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// TestKillOfAWorker_CostsTheJobThatItRan kills a warm worker from outside while
// it is sent many short jobs at a time.
func TestKillOfAWorker_CostsTheJobThatItRan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := 200000
	if raceEnabled {
		n = 40000 // which take as long there
	}
	os.WriteFile(filepath.Join(dir, "job.yaml"), fmt.Appendf(nil, "jobs:\n  - id: e\n    task: echo\n    foreach: {range: 1..%d}\n", n), 0o644)
	cmd := exec.Command(os.Args[0], "run", "-workers", "2", "-state", "none", "-output", "none", "-report", "r.json", "-events", "ev.jsonl", "job.yaml")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asSupervisor+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	killed := 0
	seen := map[int]bool{}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(50 * time.Second)
kills:
	for killed < 5 {
		select {
		case <-ended:
			ended <- nil
			break kills
		case <-deadline:
			t.Fatal("the run does not end")
		case <-time.After(60 * time.Millisecond):
		}
		events, _ := os.ReadFile(filepath.Join(dir, "ev.jsonl"))
		for line := range bytes.Lines(events) {
			var e struct {
				Event string
				PID   int
			}
			if json.Unmarshal(line, &e) == nil && e.Event == "worker.start" && !seen[e.PID] {
				seen[e.PID] = true
				if syscall.Kill(e.PID, syscall.SIGKILL) == nil {
					killed++
				}
				break
			}
		}
	}
	select {
	case <-ended:
	case <-deadline:
		t.Fatal("the run does not end")
	}
	b, err := os.ReadFile(filepath.Join(dir, "r.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Totals struct{ Jobs, OK, Crashed int }
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d killed: %+v", killed, r.Totals)
	if killed == 0 || r.Totals.Jobs != n || r.Totals.OK+r.Totals.Crashed != n || r.Totals.Crashed > killed {
		t.Errorf("%d workers killed: %+v", killed, r.Totals)
	}
}
