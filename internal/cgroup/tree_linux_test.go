package cgroup

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		v2, v1, err := find()
		if err == nil && v2 != nil {
			v1["v2"] = v2
		}
		for _, p := range v1 {
			left, _ := filepath.Glob(filepath.Join(p.own, prefix+testMark+"*"))
			for _, dir := range left {
				os.Stderr.WriteString("leaked control group: " + dir + "\n")
				code = 1
			}
		}
	}
	os.Exit(code)
}

// testMark begins the names of the trees of these tests.
const testMark = "7e57"

func newName() string {
	var b [14]byte
	rand.Read(b[:])
	return testMark + hex.EncodeToString(b[:])
}

// open returns a tree of one version, or skips the test where there is none.
func open(t *testing.T, only string) *Tree {
	t.Helper()
	tree, err := Open(newName(), Config{Only: only})
	if errors.Is(err, ErrNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Remove(5 * time.Second); err != nil {
			t.Error(err)
		}
	})
	return tree
}

// start starts a shell in the group, which first says that it is in.
func start(t *testing.T, g *Group, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "read go; "+script)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if dir := g.Dir(); dir >= 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: dir}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for _, fd := range g.Joins() {
		if _, err := unix.Write(fd, []byte(strconv.Itoa(cmd.Process.Pid))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func eachVersion(t *testing.T, f func(t *testing.T, only string)) {
	for _, v := range []string{V1, V2, ""} {
		t.Run("only "+v, func(t *testing.T) { t.Parallel(); f(t, v) })
	}
}

func TestGroup_KillsAndRemovesAll(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, only string) {
		tree := open(t, only)
		g, err := tree.New("1", Limits{PIDs: 100})
		if err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd := start(t, g, "while :; do (setsid sleep 1000 &) ; sleep 0.01; done")
		w.Close()
		for len(g.PIDs()) < 5 { // it never stops by itself
			unix.Select(0, nil, nil, nil, &unix.Timeval{Usec: 1000})
		}
		if !g.Populated() {
			t.Error("not populated")
		}
		if err := isMember(cmd.Process.Pid, g.Path()); err != nil {
			t.Error(err)
		}
		before := g.Events()
		g.Kill()
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("ended with %v", err)
		}
		// Where Kill has to forbid forks, these fail, and that is no event.
		if only == V1 {
			start(t, g, "(:)").Wait()
		}
		if after := g.Events(); after != before {
			t.Errorf("events %+v after Kill, %+v before", after, before)
		}
		dirs := g.dirs
		if err := g.Remove(5 * time.Second); err != nil {
			t.Error(err)
		}
		for _, dir := range dirs {
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is left: %v", dir, err)
			}
		}
	})
}

// isMember tells whether the kernel shows the process below the path.
func isMember(pid int, path string) error {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err == nil && !strings.Contains(string(b), path+"\n") {
		err = errors.New("no " + path + " in " + string(b))
	}
	return err
}

func TestEnter_PutsWhatTheThreadStartsIntoTheGroup(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, only string) {
		tree := open(t, only)
		g, err := tree.New("1", Limits{PIDs: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Remove(5 * time.Second)
		if only == V2 {
			// There threads are not members of their own.
			if g.CanEnter() {
				t.Error("a thread can enter")
			}
			return
		}
		if !g.CanEnter() {
			t.Skip("nothing of version 1 to join")
		}
		type end struct {
			out []byte
			err error
		}
		done := make(chan end)
		go func() {
			runtime.LockOSThread() // never undone: nobody else gets the thread if it cannot leave
			err := g.Enter()
			var out []byte
			if err == nil {
				out, err = exec.Command("/bin/cat", "/proc/self/cgroup").Output()
			}
			if left := g.Leave(); err == nil {
				err = left
			}
			done <- end{out, err}
		}()
		e := <-done
		if e.err != nil || strings.Count(string(e.out), g.Path()+"\n") < len(g.in) {
			t.Errorf("%v in %s", e.err, e.out)
		}
		if g.Populated() || g.Events().PIDsMax != 0 {
			t.Errorf("the thread is still in, or had no room: %+v", g.Events())
		}
		for _, dir := range g.in {
			if b, err := os.ReadFile(filepath.Join(dir, "pids.max")); err == nil && string(b) != "1\n" {
				t.Errorf("the limit is %q now", b)
			}
		}
	})
}

func TestGroup_MeasuresAndCountsEvents(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, only string) {
		tree := open(t, only)
		g, err := tree.New("1", Limits{PIDs: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Remove(5 * time.Second)
		start(t, g, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; (:)").Wait()
		u := g.Usage()
		if u.CPU <= 0 || u.CPUSource == "" {
			t.Errorf("usage %+v", u)
		}
		if by := tree.By(pids); (by != "") != (g.Events().PIDsMax > 0) {
			t.Errorf("events %+v, pids by %q", g.Events(), by)
		}
		if by := tree.By(memory); by != "" && (u.Peak < 4096 || u.PeakSource == "") {
			t.Errorf("usage %+v, memory by %s", u, by)
		}
		for _, r := range []string{memory, pids} {
			if (tree.By(r) == "") == (tree.Why(r) == "") {
				t.Errorf("%s by %q, why %q", r, tree.By(r), tree.Why(r))
			}
		}
		if tree.By(memory) == V1 {
			if !g.ResetPeak() || g.Usage().Peak >= u.Peak {
				t.Errorf("peak %d after a reset, %d before", g.Usage().Peak, u.Peak)
			}
		}
	})
}

func TestGroup_OfOneMemoryLimitTellsWhoWasKilled(t *testing.T) {
	t.Parallel()
	tree := open(t, "")
	if tree.By(memory) == "" {
		t.Skip(tree.Why(memory))
	}
	g, err := tree.New("1", Limits{Memory: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Remove(5 * time.Second)
	start(t, g, `x=12345678; while :; do x=$x$x; done`).Wait()
	if e, u := g.Events(), g.Usage(); e.OOMKills == 0 || e.AtLimit == 0 || u.Peak < 12<<20 || u.Peak > 20<<20 {
		t.Errorf("events %+v, usage %+v", e, u)
	}
}

// TestOpen_RemovesWhatDeadOwnersLeft plays an owner that was killed: its lock is gone,
// its group and process are not.
func TestOpen_RemovesWhatDeadOwnersLeft(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, only string) {
		dead := open(t, only)
		g, err := dead.New("1", Limits{})
		if err != nil {
			t.Fatal(err)
		}
		left := start(t, g, "sleep 1000")
		living := open(t, only)
		if _, err := living.New("1", Limits{}); err != nil {
			t.Fatal(err)
		}
		for _, b := range append(branches(dead), dead.v2) {
			if b != nil {
				unix.Flock(b.lock, unix.LOCK_UN)
			}
		}
		open(t, only)
		if left.Wait() == nil {
			t.Error("the process of a dead owner was not killed")
		}
		// By now it is empty. The tests beside this one open trees too, and may be at it: who
		// comes second leaves it to them.
		there := func(dir string) bool {
			_, err := os.Stat(dir)
			return err == nil
		}
		for deadline := time.Now().Add(10 * time.Second); slices.ContainsFunc(g.dirs, there) && time.Now().Before(deadline); {
			open(t, only)
		}
		for _, dir := range g.dirs {
			if there(dir) {
				t.Errorf("%s is left", dir)
			}
		}
		for _, b := range append(branches(living), living.v2) {
			if b == nil {
				continue
			}
			if _, err := os.Stat(b.dir); err != nil {
				t.Errorf("of a living owner: %v", err)
			}
		}
	})
}

func branches(t *Tree) (list []*branch) {
	for _, b := range t.v1 {
		list = append(list, b)
	}
	return list
}

func TestRemove_FindsTreesByName(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, only string) {
		tree := open(t, only)
		g, err := tree.New("1", Limits{})
		if err != nil {
			t.Fatal(err)
		}
		cmd := start(t, g, "sleep 1000")
		Kill(tree.name)
		if cmd.Wait() == nil {
			t.Error("the process was not killed")
		}
		if err := Remove(tree.name, 5*time.Second); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(g.dirs[0]); err == nil {
			t.Errorf("%s is left", g.dirs[0])
		}
		if err := Remove(tree.name, 0); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

func TestOpen_RefusesNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "1", "../../0123456789", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"} {
		if _, err := Open(name, Config{}); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("Open(%q) = %v", name, err)
		}
	}
}

// folders makes a hierarchy of files as version 2 shows them. What is written to them
// changes nothing else, so only choices are tested here.
func folders(t *testing.T, files map[string]string) string {
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestParent_IsTheNearestThatGivesControllersOnAndEscapesNothing(t *testing.T) {
	t.Parallel()
	shared := map[string]string{
		"cgroup.controllers": "cpu memory pids", "cgroup.subtree_control": "cpu memory pids",
		"a/cgroup.type": "domain", "a/cgroup.controllers": "memory pids", "a/cgroup.subtree_control": "memory pids",
		"a/b/cgroup.type": "domain", "a/b/cgroup.controllers": "memory pids", "a/b/cgroup.subtree_control": "", "a/b/cgroup.procs": "1\n",
		"a/b/memory.max": "max\n",
	}
	for name, c := range map[string]struct {
		change map[string]string
		own    string
		want   string
		why    bool
	}{
		"given on already":    {map[string]string{"a/b/cgroup.subtree_control": "memory pids"}, "a/b", "a/b", false},
		"from above":          {nil, "a/b", "a", false},
		"the root":            {map[string]string{"a/cgroup.subtree_control": "pids"}, "a/b", "", false},
		"not out of a limit":  {map[string]string{"a/b/memory.max": "1000\n"}, "a/b", "a/b", true},
		"not out of CPU":      {map[string]string{"a/b/cpu.max": "1000 2000\n"}, "a/b", "a/b", true},
		"no controllers":      {map[string]string{"cgroup.controllers": "", "a/cgroup.controllers": "", "a/b/cgroup.controllers": ""}, "a/b", "a/b", false},
		"not out of a tree":   {map[string]string{"multiproc-0123456789abcdef0123456789abcdef/1/cgroup.type": "", "multiproc-0123456789abcdef0123456789abcdef/1/cgroup.controllers": "memory", "multiproc-0123456789abcdef0123456789abcdef/1/cgroup.procs": "1", "multiproc-0123456789abcdef0123456789abcdef/cgroup.type": ""}, "multiproc-0123456789abcdef0123456789abcdef/1", "multiproc-0123456789abcdef0123456789abcdef/1", true},
		"the root as its own": {nil, "", "", false},
	} {
		files := map[string]string{}
		for _, m := range []map[string]string{shared, c.change} {
			for k, v := range m {
				files[k] = v
			}
		}
		root := folders(t, files)
		why := map[string]string{}
		p := &place{mount{dir: root, root: "/", v2: true}, filepath.Join(root, c.own)}
		dir, leaf := p.parent(&Config{}, why)
		if dir != filepath.Join(root, c.want) || leaf != "" || c.why && why[memory] == "" {
			t.Errorf("%s: %s, leaf %q, why %v", name, strings.TrimPrefix(dir, root), leaf, why)
		}
	}
}

func TestVacate_MovesOnlyItsOwnDescendants(t *testing.T) {
	t.Parallel()
	for _, only := range []string{V1, V2} {
		t.Run(only, func(t *testing.T) {
			t.Parallel()
			tree := open(t, only)
			g, err := tree.New("1", Limits{})
			if err != nil {
				t.Fatal(err)
			}
			cmd := start(t, g, "sleep 1000")
			dir := g.dirs[0]
			if leaf := vacate(dir, cmd.Process.Pid+1_000_000); leaf != "" || len(processes(dir)) == 0 {
				t.Errorf("moved strangers to %q", leaf)
			}
			leaf := vacate(dir, 0)
			if leaf == "" || len(processes(dir)) != 0 || len(processes(leaf)) == 0 {
				t.Fatalf("leaf %q has %v, %s has %v", leaf, processes(leaf), dir, processes(dir))
			}
			leave(dir, leaf)
			if _, err := os.Stat(leaf); err == nil || len(processes(dir)) == 0 {
				t.Errorf("leaf is left: %v; %v", err, processes(dir))
			}
			cmd.Process.Kill()
			cmd.Wait()
		})
	}
}
