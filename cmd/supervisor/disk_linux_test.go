package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// disk mounts a small one at a name in the trial's folder.
func (r *trial) disk(name, size string) string {
	r.Helper()
	dir := filepath.Join(r.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		r.Skipf("mount a tmpfs, which takes root: %v", err)
	}
	r.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// grow gives the disk another size.
func (r *trial) grow(dir, size string) {
	r.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size="+size); err != nil {
		r.Fatal(err)
	}
}

// TestDiskOfTheJournal_FillsUp ends the run with the names of the file and of the
// first job that is not recorded. When there is room again it is resumed.
func TestDiskOfTheJournal_FillsUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		job   string
		first string // where the message has the job
	}{
		"with rows":    {"  - {id: e, task: echo, foreach: {range: 1..60000}}\n", `journal\.db: database or disk is full .*e#(\d+) is the first`},
		"with outputs": {"  - {id: e, run: [head, -c, '20000', /dev/zero], foreach: {range: 1..300}}\n", `(?:no space left on device|disk is full).* e#(\d+) is the first`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t)
			disk := r.disk("disk", "2m")
			r.write("job.yaml", "jobs:\n"+c.job)
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close()
			cmd := r.command("run", "-state", "disk/state", "-no-progress")
			cmd.Stdout = null
			full := r.finish(cmd)
			full.want(r, 5, "halting: -resume goes on when that is mended", filepath.Join(disk, "state", "runs"))
			said := regexp.MustCompile(c.first).FindStringSubmatch(full.stderr)
			if said == nil {
				t.Fatalf("stderr does not name the job:\n%s", full.stderr)
			}
			runs, _ := r.recordsIn("disk/state")
			for _, rec := range runs[0] {
				if fmt.Sprint(rec.index) == said[1] {
					t.Errorf("%s is recorded, though it is said not to be", said[1])
				}
			}
			r.grow(disk, "64m")
			cmd = r.command("run", "-state", "disk/state", "-no-progress", "-resume", "-report", "r.json")
			cmd.Stdout = null
			r.finish(cmd).want(r, 0)
			if n := r.report("r.json").Totals["resumed"]; n != int64(len(runs[0])) {
				t.Errorf("%d instances were resumed, and %d are recorded", n, len(runs[0]))
			}
			t.Logf("%d were recorded on a full disk", len(runs[0]))
		})
	}
}

// TestDiskOfTheJournal_IsFullAtOnce starts nothing.
func TestDiskOfTheJournal_IsFullAtOnce(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	disk := r.disk("disk", "64k")
	if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 56<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	r.write("job.yaml", "jobs:\n  - {id: e, shell: touch ran}\n")
	r.call("run", "-state", "disk/state", "-no-progress").want(r, 5, "-state")
	if r.has("ran", "") {
		t.Error("a job was started without a journal")
	}
	if left, _ := filepath.Glob(filepath.Join(disk, "state", "runs", ".*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
		t.Fatal(err)
	}
	r.grow(disk, "8m")
	r.call("run", "-state", "disk/state", "-no-progress").want(r, 0)
}

// TestDiskOfTheJournal_CannotSync fails to put what is written on the disk, from a
// moment on. What was told as done is done.
func TestDiskOfTheJournal_CannotSync(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip(err)
	}
	// strace counts the calls of each thread. A run that lasts makes far more than the
	// last of these, whichever threads make them.
	for _, when := range []int{1, 5, 12, 20} {
		t.Run(fmt.Sprint("from ", when), func(t *testing.T) {
			t.Parallel()
			r := newTrial(t)
			r.write("job.yaml", "jobs:\n  - {id: e, shell: \"sleep 0.03; echo $ITEM\", foreach: {range: 1..300}}\n")
			cmd := r.command("run", "-no-progress", "-workers", "2", "-state", "state")
			inject := fmt.Sprintf("inject=fsync,fdatasync:error=EIO:when=%d+", when)
			strace, _ := exec.LookPath("strace")
			cmd.Args = append([]string{"strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace=fsync,fdatasync", "-e", inject}, cmd.Args...)
			cmd.Path = strace
			c := r.finish(cmd)
			c.want(r, 5, "/state/")
			if !strings.Contains(c.stderr, "input/output error") && !strings.Contains(c.stderr, "disk I/O error") {
				t.Errorf("stderr does not give the reason:\n%s", c.stderr)
			}
			again := r.call("run", "-no-progress", "-state", "state", "-resume")
			again.want(r, 0)
			times := map[string]int{}
			for _, item := range append(strings.Fields(c.stdout), strings.Fields(again.stdout)...) {
				if times[item]++; times[item] > 1 {
					t.Errorf("item %s was printed twice", item)
				}
			}
			// What was written and could not be synced may have come to the disk all the same:
			// then it is found there with its output, as what a killed run had no time to print.
			runs, _ := r.recordsIn("state")
			ok := 0
			for _, rec := range runs[len(runs)-1] {
				if rec.outcome == "ok" && rec.stdout == rec.item+"\n" {
					ok++
				}
				if times[rec.item] == 0 && !rec.resumed {
					t.Errorf("item %s was run last and not printed", rec.item)
				}
			}
			if ok != 300 {
				t.Errorf("%d items are recorded with their output", ok)
			}
		})
	}
}

// TestStateFolder_IsRefused tells why a folder cannot be used, and starts nothing
// where it was asked for.
func TestStateFolder_IsRefused(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for name, c := range map[string]struct {
		make func(state string) error
		says string
	}{
		"a file":          {func(s string) error { return os.WriteFile(s, nil, 0o600) }, "not a directory"},
		"another's":       {func(s string) error { os.Mkdir(s, 0o700); return os.Chown(s, 65534, 65534) }, "belongs to user 65534"},
		"runs are a link": {func(s string) error { os.Mkdir(s, 0o700); return os.Symlink(outside, filepath.Join(s, "runs")) }, "symbolic link"},
		"runs are a file": {func(s string) error { os.Mkdir(s, 0o700); return os.WriteFile(filepath.Join(s, "runs"), nil, 0o600) }, "runs"},
		"link to nowhere": {func(s string) error { return os.Symlink("nowhere", s) }, "state"},
		"another's target": {func(s string) error {
			os.Mkdir(s+".d", 0o700)
			os.Chown(s+".d", 65534, 65534)
			return os.Symlink(s+".d", s)
		}, "belongs to user 65534"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Getuid() != 0 && strings.Contains(name, "another") {
				t.Skip("only root gives a folder away")
			}
			r := newTrial(t)
			r.write("job.yaml", "jobs:\n  - {id: e, shell: touch ran}\n")
			if err := c.make(filepath.Join(r.dir, "state")); err != nil {
				t.Fatal(err)
			}
			r.call("run", "-no-progress", "-state", "state").want(r, 5, c.says, "-state")
			if r.has("ran", "") {
				t.Error("a job was started without a journal")
			}
		})
	}
	t.Cleanup(func() {
		if left, _ := os.ReadDir(outside); len(left) > 0 {
			t.Errorf("what a link leads to was written to: %v", left)
		}
	})
}

// TestStateFolder_CannotBeMade does without where nobody asked for one.
func TestStateFolder_CannotBeMade(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root becomes another user")
	}
	r := newTrial(t)
	r.write("job.yaml", "jobs:\n  - {id: e, task: echo, foreach: {range: 1..3}}\n")
	binary := filepath.Join(r.dir, "supervisor")
	copyFile(t, binary)
	for dir := r.dir; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(r.tmp, 0o777); err != nil {
		t.Fatal(err)
	}
	as := func(args ...string) call {
		cmd := r.command(args...)
		cmd.Path = binary
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return r.finish(cmd)
	}
	c := as("run", "-no-progress")
	c.want(r, 0, ".supervisor: permission denied; the run keeps no journal")
	if got := strings.Count(c.stdout, "\n"); got != 3 {
		t.Errorf("stdout has %d lines", got)
	}
	as("run", "-no-progress", "-state", "state").want(r, 5, "permission denied")
	as("run", "-no-progress", "-resume").want(r, 5, "permission denied")
	as("each", "-a", "job.yaml", "-no-progress", "--", "echo").want(r, 0)
}

// TestState_DoesNotFollowWhatWasPlanted puts links where a resumed run looks for
// its files.
func TestState_DoesNotFollowWhatWasPlanted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"journal.db", "lock", "outputs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t)
			secret := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.write("job.yaml", "jobs:\n  - {id: e, task: echo, foreach: {range: 1..3}}\n")
			r.call("run", "-no-progress").want(r, 0)
			runs, err := filepath.Glob(filepath.Join(r.dir, ".supervisor", "runs", "*"))
			if err != nil || len(runs) != 1 {
				t.Fatal(runs, err)
			}
			if err := os.RemoveAll(filepath.Join(runs[0], name)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(secret, filepath.Join(runs[0], name)); err != nil {
				t.Fatal(err)
			}
			// By its own name it is refused, as the latest it may be passed over.
			r.call("run", "-no-progress", "-resume-from", filepath.Base(runs[0])).want(r, 5, "symbolic link")
			if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
				t.Errorf("what the link leads to is now %q, %v", b, err)
			}
		})
	}
}
