package spawn

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// recordsFolder returns a path at which uid can make the folder.
func recordsFolder(t *testing.T, uid uint32) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "records") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if uid != 0 {
		if err := os.Chown(dir, int(uid), int(uid)); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "multiproc")
}

var _ = register("recorded", func() {
	unix.CloseOnExec(3)
	w := os.NewFile(3, "output")
	g, err := Open(Options{Exclusive: true, Records: os.Getenv("RECORDS"), Logger: func(msg string, kv ...any) { must(fmt.Errorf("%s %v", msg, kv)) }})
	must(err)
	procs, err := startEscapes(g, w, false)
	must(err)
	fmt.Fprintf(w, "pid %d\n", g.current.pid)
	for _, p := range procs {
		fmt.Fprintf(w, "pid %d\n", p.PID())
	}
	fmt.Fprintln(w, "all")
	os.Stdin.Read(make([]byte, 1))
})

// opener opens a guardian, says what that logged, and closes it.
var _ = register("opener", func() {
	g, err := Open(Options{Records: os.Getenv("RECORDS"), Logger: func(msg string, kv ...any) { fmt.Println(msg, kv) }})
	must(err)
	must(g.Close())
})

// leaveRecord starts a program with processes that get away, and kills it and its
// guardian at the same instant.
func leaveRecord(t *testing.T, uid uint32, folder string) *output {
	t.Helper()
	out := newOutput(t)
	cmd, in := helper(t, "recorded", uid, "RECORDS="+folder)
	t.Cleanup(func() { in.Close() })
	cmd.ExtraFiles = []*os.File{out.w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := readEscapes(out, len(escapes))
	guardian := pids[0]
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Fatalf("records are %v, %v", entries, err)
	}
	// One that is stopped sees nothing of the death of the other.
	for _, err := range []error{
		syscall.Kill(cmd.Process.Pid, syscall.SIGSTOP),
		syscall.Kill(guardian, syscall.SIGKILL),
		syscall.Kill(cmd.Process.Pid, syscall.SIGKILL),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait()
	for _, pid := range pids { // the guardian's own children die with it
		endsOf([]int{pid}, deathWait).await(time.Now().Add(deathWait))
	}
	return out
}

func TestRecords_WhatOutlivedBothIsGoneAfterTheNextOpen(t *testing.T) {
	t.Parallel()
	eachUser(t, func(t *testing.T, uid uint32) {
		folder := recordsFolder(t, uid)
		out := leaveRecord(t, uid, folder)
		entries, err := os.ReadDir(folder)
		if err != nil || len(entries) != 1 {
			t.Fatalf("records are %v, %v", entries, err)
		}
		if len(marked(entries[0].Name(), nil)) == 0 {
			t.Fatal("nothing got away: there is nothing to test")
		}
		cmd, in := helper(t, "opener", uid, "RECORDS="+folder)
		defer in.Close()
		said, err := cmd.Output()
		if err != nil || !strings.Contains(string(said), "killed what a program had left") {
			t.Errorf("the next one says %q, %v", said, err)
		}
		out.ended(deathWait)
		if _, err := os.Stat(folder); !os.IsNotExist(err) {
			t.Errorf("the folder is left: %v", err)
		}
	})
}

func TestRecords_GuardianRemovesThatOfAKilledProgram(t *testing.T) {
	t.Parallel()
	folder := recordsFolder(t, 0)
	out := newOutput(t)
	cmd, in := helper(t, "recorded", 0, "RECORDS="+folder)
	defer in.Close()
	cmd.ExtraFiles = []*os.File{out.w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	guardian := readEscapes(out, len(escapes))[0]
	ended := endsOf([]int{guardian}, deathWait)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if !ended.await(time.Now().Add(deathWait)) {
		t.Fatalf("the guardian lives after %v", deathWait)
	}
	out.ended(deathWait)
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestRecords_LivingProgramsAreLeftAlone(t *testing.T) {
	t.Parallel()
	folder := recordsFolder(t, 0)
	open := func() *Guardian {
		g, err := Open(Options{Records: folder, Logger: func(msg string, kv ...any) { t.Error(msg, kv) }})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	first := open()
	p := start(t, first, shell(nil, "exec sleep 1000"))
	var others sync.WaitGroup
	for range 8 {
		others.Go(func() {
			g := open()
			q, err := g.Start(shell(nil, "exit 6"))
			if err != nil {
				t.Error(err)
			} else if st := waitDone(t, q); st.Code != 6 {
				t.Errorf("status is %+v", st)
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	others.Wait()
	if !alive(p.PID()) {
		t.Error("the process of a living program was killed")
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 1 || entries[0].Name() != first.nonce {
		t.Errorf("records are %v", entries)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestRecords_OneThatIsBeingMadeIsNotTaken(t *testing.T) {
	t.Parallel()
	folder := recordsFolder(t, 0)
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for range 200 {
				r, err := newRecord(folder)
				if err != nil {
					t.Error(err)
					return
				}
				for _, d := range r.relics() {
					unix.Unlinkat(r.folder, d.name, 0)
					unix.Close(d.file)
				}
				if !isEntry(r.folder, r.name, r.lock) {
					t.Error("the record of a living program was removed")
				}
				r.remove()
				r.close()
			}
		})
	}
	users.Wait()
	if entries, err := os.ReadDir(folder); !os.IsNotExist(err) {
		t.Errorf("left are %v, %v", entries, err)
	}
}

func TestRecords_SurviveHostileEntries(t *testing.T) {
	t.Parallel()
	folder := recordsFolder(t, 0)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(folder, 0o700))
	in := func(name string) string { return filepath.Join(folder, name) }
	name := func(c string) string { return strings.Repeat(c, 32) }
	victim := filepath.Join(filepath.Dir(folder), name("f"))
	must(os.WriteFile(victim, []byte("precious"), 0o600))
	must(os.Symlink(victim, in(name("0"))))
	must(os.Symlink(in(name("1")), in(name("1"))))
	must(unix.Mkfifo(in(name("2")), 0o600))
	must(os.Mkdir(in(name("3")), 0o700))
	must(os.WriteFile(in(strings.Repeat("4", 255)), nil, 0o600))
	must(os.WriteFile(in("PASSWORDS"), nil, 0o600))
	must(os.WriteFile(in(strings.Repeat("A", 32)), nil, 0o600))
	want := 7
	if os.Getuid() == 0 {
		must(os.WriteFile(in(name("5")), nil, 0o600))
		must(os.Chown(in(name("5")), 65534, 65534))
		want++
	}
	// And one that can be a record.
	must(os.WriteFile(in(name("6")), []byte("0::/../../../etc\n4:memory:/..\n:::\nx\n0::\n"+strings.Repeat("9", 2*maxRecord)), 0o600))

	begun := time.Now()
	g := open(t, Options{Records: folder, Logger: func(msg string, kv ...any) { t.Error(msg, kv) }})
	if took := time.Since(begun); took > deathWait {
		t.Errorf("Open took %v", took)
	}
	if st := waitDone(t, start(t, g, &Spec{Path: "/bin/true"})); !st.Success() {
		t.Errorf("status is %+v", st)
	}
	must(g.Close())
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != want || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == name("6") }) {
		t.Errorf("entries are %v, %v", entries, err)
	}
	if b, err := os.ReadFile(victim); string(b) != "precious" {
		t.Errorf("the victim holds %q, %v", b, err)
	}
}

func TestRecords_FoldersOfOthersAreNotUsed(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(folder string) error{
		"symlink": func(folder string) error {
			if err := os.Mkdir(folder+".real", 0o700); err != nil {
				return err
			}
			return os.Symlink(folder+".real", folder)
		},
		"open":     func(folder string) error { return os.Mkdir(folder, 0o755) },
		"file":     func(folder string) error { return os.WriteFile(folder, nil, 0o700) },
		"fifo":     func(folder string) error { return unix.Mkfifo(folder, 0o700) },
		"too long": nil,
		"orphan":   nil,
		"stranger's": func(folder string) error {
			if err := os.Mkdir(folder, 0o700); err != nil || os.Getuid() != 0 {
				return err
			}
			return os.Chown(folder, 65534, 65534)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "stranger's" && os.Getuid() != 0 {
				t.Skip("needs root to make one")
			}
			folder := recordsFolder(t, 0)
			switch name {
			case "too long":
				folder = filepath.Join(folder, strings.Repeat("x", 5000))
			case "orphan":
				folder = filepath.Join(folder, "no", "such")
			default:
				if err := make(folder); err != nil {
					t.Fatal(err)
				}
			}
			var said []string
			g := open(t, Options{Records: folder, Logger: func(msg string, kv ...any) { said = append(said, fmt.Sprint(msg, kv)) }})
			if len(said) != 1 || !strings.Contains(said[0], "no record is kept") {
				t.Errorf("the log says %q", said)
			}
			if st := waitDone(t, start(t, g, &Spec{Path: "/bin/true"})); !st.Success() {
				t.Errorf("status is %+v", st)
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
			if name == "symlink" {
				if entries, err := os.ReadDir(folder + ".real"); err != nil || len(entries) > 0 {
					t.Errorf("entries are %v, %v", entries, err)
				}
			}
		})
	}
}

// stray starts a process that nobody follows but the test.
func stray(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func TestRecords_OnlyTheExactMarkerIsFollowed(t *testing.T) {
	t.Parallel()
	nonce := newNonce()
	other := []byte(nonce)
	other[31] ^= 1
	mine := []*exec.Cmd{
		stray(t, TreeMarker+"="+nonce+".1"),
		stray(t, "A=1", TreeMarker+"=00000000000000000000000000000000.7/"+nonce+".12/"+string(other)+".1"),
	}
	strangers := []*exec.Cmd{
		stray(t, TreeMarker+"="+string(other)+".1"),
		stray(t, TreeMarker+"=x"+nonce+".1"),
		stray(t, TreeMarker+"="+nonce),
		stray(t, TreeMarker+"="+nonce+"0.1"),
		stray(t, "OTHER_"+TreeMarker+"="+nonce+".1"),
		stray(t, "NOTE="+TreeMarker+"="+nonce+".1"),
		stray(t),
	}
	killed, left, err := killMarked([]string{nonce}, time.Now().Add(killWait))
	if killed != len(mine) || len(left) > 0 || err != nil {
		t.Errorf("killed %d, left %v, %v", killed, left, err)
	}
	for _, cmd := range mine {
		if alive(cmd.Process.Pid) {
			t.Errorf("%q is alive", cmd.Env)
		}
	}
	for _, cmd := range strangers {
		if !alive(cmd.Process.Pid) {
			t.Errorf("%q was killed", cmd.Env)
		}
	}
}

func TestRecords_ThatOfOnesOwnMakerIsNoReasonToDie(t *testing.T) {
	t.Parallel()
	folder := recordsFolder(t, 0)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	maker := newNonce()
	if err := os.WriteFile(filepath.Join(folder, maker), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, in := helper(t, "opener", 0, "RECORDS="+folder, TreeMarker+"="+maker+".1")
	defer in.Close()
	if said, err := cmd.Output(); err != nil || len(said) > 0 {
		t.Errorf("it says %q, %v", said, err)
	}
}

// ownGroups makes a cgroup of this name below that of this process, in each hierarchy
// in which it may.
func ownGroups(t *testing.T, name string) (dirs []string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	own := groupsOf(os.Getpid())
	for line := range strings.Lines(string(mounts)) {
		left, right, _ := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if len(l) < 5 || len(r) < 3 || r[0] != "cgroup" && r[0] != "cgroup2" {
			continue
		}
		of := "" // controllers, as in the cgroup file
		if r[0] == "cgroup" {
			_, of, _ = strings.Cut(r[2], ",")
		}
		if strings.Contains(of, "cpuset") {
			continue // takes nobody in before it has CPUs
		}
		_, group, ok := strings.Cut(own, ":"+of+":")
		group, _, _ = strings.Cut(group, "\n")
		rel, err := filepath.Rel(l[3], group)
		if !ok || err != nil || !filepath.IsLocal(rel) {
			continue
		}
		dir := filepath.Join(l[4], rel, name)
		if os.Mkdir(dir, 0o755) == nil {
			dirs = append(dirs, dir)
			t.Cleanup(func() {
				os.Remove(filepath.Join(dir, "7"))
				os.Remove(dir)
			})
		}
	}
	if len(dirs) == 0 {
		t.Skip("this user can make no cgroup here")
	}
	return dirs
}

func TestRecords_CgroupsOfTheDeadAreEmptiedAndRemoved(t *testing.T) {
	t.Parallel()
	folder := recordsFolder(t, 0)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	nonce := newNonce()
	if err := os.WriteFile(filepath.Join(folder, nonce), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dirs := ownGroups(t, "multiproc-"+nonce)
	stranger := ownGroups(t, "multiproc-"+newNonce())
	into := func(dir string, cmd *exec.Cmd) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
			t.Fatal(dir, err)
		}
	}
	var inside []*exec.Cmd
	for _, dir := range dirs {
		cell := filepath.Join(dir, "7")
		if err := os.Mkdir(cell, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := stray(t) // which has no environment at all
		into(cell, cmd)
		_ = os.WriteFile(filepath.Join(cell, "freezer.state"), []byte("FROZEN"), 0) // where that is
		inside = append(inside, cmd)
	}
	outside := stray(t)
	into(stranger[0], outside)

	var said []string
	g := open(t, Options{Records: folder, Logger: func(msg string, kv ...any) { said = append(said, fmt.Sprint(msg, kv)) }})
	if want := fmt.Sprintf("cgroups %d", len(dirs)); len(said) != 1 || !strings.Contains(said[0], want) {
		t.Errorf("the log says %q, want %q", said, want)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	for i, dir := range dirs {
		if alive(inside[i].Process.Pid) {
			t.Errorf("the process in %s is alive", dir)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
	if !alive(outside.Process.Pid) {
		t.Error("a process in the group of somebody else was killed")
	}
	outside.Process.Kill()
	outside.Wait()
}
