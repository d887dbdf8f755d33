package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemons are commands that make grandchildren with a session of their own and no
// parent, and wait. $MARK is a link to sleep by a path that no stranger has in its
// arguments or environment. Each makes the file $UP when the last of them is there.
var daemons = []string{
	`(setsid sh -c 'touch $UP; exec $MARK 1000' &); exec $MARK 1000`,
	`(setsid sh -c '(setsid sh -c "(setsid sh -c \"touch \\\$UP; exec \\\$MARK 1000\" &)" &)' &); exec $MARK 1000`,
	`trap '' TERM HUP INT QUIT; (setsid sh -c 'touch $UP; $MARK 1000; $MARK 1000' &); $MARK 1000; $MARK 1000`,
	`(setsid sh -c '$MARK 1000 & touch $UP; kill -STOP $$; wait' &); exec $MARK 1000`,
	`(setsid sh -c '(cd /; exec $MARK 1000 </dev/null >/dev/null 2>&1) & touch $UP' &); exec $MARK 1000`,
}

// levels of isolation, and what makes a job have them.
var levels = []struct{ name, key string }{
	{"process", ""},
	{"namespaces", "isolation: namespaces"},
	{"sandbox", "isolation: sandbox"},
}

// end is how a run with daemons comes to its end.
type end struct {
	name string
	code int // of the supervisor, 137 = it was killed
	// bring makes it end; nil: it does so by itself, by a timeout of the jobs.
	bring func(e *escape)
	// next says that only the next run is to find what is left.
	next bool
}

var ends = []end{
	{"timeout", 1, nil, false},
	{"Ctrl-C", 130, func(e *escape) {
		e.kill(e.cmd.Process.Pid, syscall.SIGINT)
		eventually(e.T, 20*time.Second, "the first one is seen", func() bool {
			b, err := os.ReadFile(filepath.Join(e.dir, "stderr"))
			return err == nil && bytes.Contains(b, []byte("may finish"))
		})
		e.kill(e.cmd.Process.Pid, syscall.SIGINT)
	}, false},
	{"SIGTERM", 143, func(e *escape) { e.kill(e.cmd.Process.Pid, syscall.SIGTERM) }, false},
	{"SIGKILL of the supervisor", 137, func(e *escape) { e.kill(e.cmd.Process.Pid, syscall.SIGKILL) }, false},
	{"SIGKILL of the guardian", 5, func(e *escape) { e.kill(e.guardian, syscall.SIGKILL) }, false},
	{"SIGKILL of both", 137, func(e *escape) {
		e.kill(e.cmd.Process.Pid, syscall.SIGSTOP) // so that it sees nothing of the other's death
		e.kill(e.guardian, syscall.SIGKILL)
		e.kill(e.cmd.Process.Pid, syscall.SIGKILL)
	}, true},
}

// escape is a run of daemons.
type escape struct {
	*testing.T
	dir, mark string
	uid       uint32
	cmd       *exec.Cmd
	guardian  int
}

func TestDaemons_AreGoneHoweverARunEnds(t *testing.T) {
	t.Parallel()
	// What this process ignores, its children would ignore as well.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	t.Cleanup(func() { signal.Stop(caught) })
	users := []uint32{uint32(os.Getuid())}
	if os.Getuid() == 0 {
		users = append(users, 65534)
	}
	levels := levels
	if testing.Short() {
		levels = levels[:1]
	}
	for _, how := range ends {
		for _, level := range levels {
			for _, uid := range users {
				t.Run(fmt.Sprintf("%s, %s, uid %d", how.name, level.name, uid), func(t *testing.T) {
					t.Parallel()
					e := newEscape(t, uid)
					e.run(how, level.key)
				})
			}
		}
	}
}

func newEscape(t *testing.T, uid uint32) *escape {
	t.Helper()
	dir, err := os.MkdirTemp("", "escape") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	e := &escape{T: t, dir: dir, mark: filepath.Join(dir, "sleep"), uid: uid}
	t.Cleanup(func() {
		for _, pid := range e.survivors() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		os.RemoveAll(dir)
	})
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(dir, "supervisor"))
	for _, err := range []error{
		os.Symlink(sleep, e.mark),
		os.Mkdir(filepath.Join(dir, "tmp"), 0o700),
		os.Chown(filepath.Join(dir, "tmp"), int(uid), int(uid)),
		os.Chown(dir, int(uid), int(uid)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// command is a call of the supervisor as the user.
func (e *escape) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(e.dir, "supervisor"), args...)
	cmd.Dir = e.dir
	tmp := filepath.Join(e.dir, "tmp")
	cmd.Env = append(os.Environ(), asSupervisor+"=1", "TMPDIR="+tmp, "XDG_RUNTIME_DIR="+tmp, "MARK="+e.mark)
	if e.uid != uint32(os.Getuid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: e.uid, Gid: e.uid}}
	}
	return cmd
}

func (e *escape) write(name, content string) {
	e.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, name), []byte(content), 0o644); err != nil {
		e.Fatal(err)
	}
}

func (e *escape) kill(pid int, sig syscall.Signal) {
	e.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		e.Fatal(err)
	}
}

// survivors are the living processes that have the mark in their arguments or their
// environment.
func (e *escape) survivors() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		pid, _ := strconv.Atoi(filepath.Base(p))
		for _, file := range []string{"/cmdline", "/environ"} {
			if b, err := os.ReadFile(p + file); err == nil && bytes.Contains(b, []byte(e.mark)) && alive(pid) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

func (e *escape) run(how end, key string) {
	e.Helper()
	var file strings.Builder
	file.WriteString("inherit_env: all\njobs:\n")
	for i, script := range daemons {
		up := filepath.Join(e.dir, "up"+strconv.Itoa(i))
		fmt.Fprintf(&file, "  - id: job%d\n    env: {UP: %q}\n    kill_after: 200ms\n", i, up)
		if key != "" {
			fmt.Fprintf(&file, "    %s\n", key)
		}
		if how.bring == nil {
			file.WriteString("    timeout: 3s\n")
		}
		fmt.Fprintf(&file, "    shell: |\n      %s\n", script)
	}
	e.write("job.yaml", file.String())
	e.write("next.yaml", "jobs:\n  - {id: nothing, run: ['true']}\n")

	stderr, err := os.Create(filepath.Join(e.dir, "stderr"))
	if err != nil {
		e.Fatal(err)
	}
	defer stderr.Close()
	e.cmd = e.command("run", "-workers", strconv.Itoa(len(daemons)), "-state", "none", "-no-progress", "job.yaml")
	e.cmd.Stderr = stderr
	if err := e.cmd.Start(); err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { e.cmd.Process.Kill() })
	var running []int
	eventually(e.T, 20*time.Second, "all commands are up", func() bool {
		if ups, _ := filepath.Glob(filepath.Join(e.dir, "up*")); len(ups) < len(daemons) {
			return false
		}
		running = e.survivors()
		return len(running) >= 2*len(daemons)
	})
	e.guardian = guardianOf(e.T, e.cmd.Process.Pid)
	ended := make(chan struct{})
	go func() { e.cmd.Wait(); close(ended) }()
	if how.bring != nil {
		how.bring(e)
	}
	begun := time.Now()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		e.Fatal("the run does not end")
	}
	code := e.cmd.ProcessState.ExitCode()
	if ws := e.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		code = 128 + int(ws.Signal())
	}
	if said, _ := os.ReadFile(stderr.Name()); code != how.code {
		e.Errorf("exit code %d, want %d\n%s", code, how.code, said)
	}
	switch {
	case how.next && key != "":
		// Process 1 of a namespace dies with the guardian, and all others with it.
		eventually(e.T, 2*time.Second, "the namespaces have ended", func() bool { return len(e.survivors()) == 0 })
		if said, err := e.command("run", "-state", "none", "-no-progress", "next.yaml").CombinedOutput(); err != nil { // and removes the record
			e.Errorf("the next run: %v\n%s", err, said)
		}
	case how.next:
		e.meetNext(running)
	case code == 137: // the guardian is at work
		eventually(e.T, 2*time.Second, "everything has ended", func() bool { return len(e.survivors()) == 0 })
		e.Logf("%d processes were gone after %v", len(running), time.Since(begun))
	}
	for _, pid := range e.survivors() {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		e.Errorf("process %d is left: %q", pid, line)
	}
	if left, _ := filepath.Glob(filepath.Join(e.dir, "tmp", "*")); len(left) > 0 {
		e.Errorf("files %v are left", left)
	}
}

// meetNext runs something else, which is to find what was left.
func (e *escape) meetNext(running []int) {
	e.Helper()
	// What the guardian has started itself dies with it, but in its own time.
	var left []int
	eventually(e.T, 20*time.Second, "the children of the guardian have ended", func() bool {
		left = e.survivors()
		return !slices.Contains(left, e.guardian) && len(left) <= len(running)-len(daemons)
	})
	if len(left) == 0 {
		e.Fatal("nothing got away: there is nothing to test")
	}
	if said, err := e.command("run", "-state", "none", "-no-progress", "-log-level", "warn", "next.yaml").CombinedOutput(); err != nil || !strings.Contains(string(said), "killed what a program had left") {
		e.Errorf("the next run: %v\n%s", err, said)
	}
	e.Logf("%d of %d processes were left to the next run", len(left), len(running))
}
