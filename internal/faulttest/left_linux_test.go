package faulttest_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nothingLeft checks that no process, temporary file or lock is left of the trial,
// for which it waits 2 s, and then sees to it.
func (r *trial) nothingLeft() {
	r.Helper()
	r.gone()
	for _, pattern := range []string{filepath.Join(r.tmp, "*"), filepath.Join(r.tmp, ".*"), filepath.Join(r.dir, ".multiproc-*"), filepath.Join(r.own, "*", "*")} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			r.Errorf("temporary files %v are left", left)
		}
	}
	r.groupsAreGone()
	r.statesAreTidy()
	r.secretIsNowhere("in a file")
}

// gone waits for the end of all processes of the trial.
func (r *trial) gone() {
	r.Helper()
	var left []int
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if left = r.processes(); len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	for _, pid := range left {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		r.Errorf("process %d is left: %.200q", pid, line)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// processes are the living ones that the trial has started, whatever has become of
// their parents: they have the tag in their environment, or their working
// directory in the trial's folder.
func (r *trial) processes() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		env, err := os.ReadFile(dir + "/environ")
		ours := err == nil && bytes.Contains(env, []byte(r.tag+"\x00"))
		if !ours {
			cwd, err := os.Readlink(dir + "/cwd")
			ours = err == nil && strings.HasPrefix(cwd, r.dir)
		}
		if pid, _ := strconv.Atoi(filepath.Base(dir)); ours && alive(pid) {
			pids = append(pids, pid)
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

// tree is the beginning of what the processes of a guardian have in their environment:
// the part that also names its cgroups.
var tree = regexp.MustCompile(`[0-9a-f]{32}`)

// groupsAreGone checks that no cgroup of the trial's guardians is left.
func (r *trial) groupsAreGone() {
	r.Helper()
	b, _ := os.ReadFile(filepath.Join(r.dir, "trees"))
	for _, nonce := range slices.Compact(slices.Sorted(slices.Values(tree.FindAllString(string(b), -1)))) {
		filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "multiproc-"+nonce) {
				r.Errorf("the cgroup %s is left", path)
			}
			return nil
		})
	}
}

// runFile is what a run's folder may hold.
var runFile = regexp.MustCompile(`^(lock|journal\.db(-wal|-shm)?|outputs|outputs/\d+\.seg)$`)

// statesAreTidy checks that what runs keep is what they are to keep, and that
// nobody holds their locks.
func (r *trial) statesAreTidy() {
	r.Helper()
	locks := 0
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		_, in, ok := strings.Cut(path, "/runs/")
		if !ok {
			return nil
		}
		id, name, _ := strings.Cut(in, "/")
		switch {
		case strings.HasPrefix(id, "."):
			r.Errorf("%s is left", path)
			return filepath.SkipDir
		case name != "" && !runFile.MatchString(name) && d.Type() != fs.ModeSymlink:
			r.Errorf("%s is left", path)
		case name == "lock" && d.Type().IsRegular():
			locks++
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
				r.Errorf("%s is held: %v", path, err)
			}
		}
		return nil
	})
	if err != nil {
		r.Error(err)
	}
}

// secretIsNowhere checks that what was planted in the environment is in no file of
// the trial, be it journal, report, log or output.
func (r *trial) secretIsNowhere(where string) {
	r.Helper()
	secret := []byte(r.secret)
	filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > 64<<20 {
			return nil // an output that the row knows
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, secret) {
			r.Errorf("the planted secret is %s: %s", where, path)
		}
		return nil
	})
}
