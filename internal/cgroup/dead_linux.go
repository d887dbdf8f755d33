package cgroup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kill kills all that is in the groups of the tree of this name, whose owner is
// dead, and does not wait for it. No such tree is no error.
func Kill(name string) { eachOf(name, nil, killFolder) }

// Remove removes the tree of this name, whose owner is dead, as Tree.Remove does.
func Remove(name string, wait time.Duration) error {
	var failed []error
	eachOf(name, nil, func(dir string) {
		killFolder(dir)
		if err := removeFolder(dir, wait); err != nil {
			failed = append(failed, err)
		}
	})
	return errors.Join(failed...)
}

// Bury is Remove for the tree of another program, which may have been in other groups
// than this process: memo is what its /proc/self/cgroup was, nil = not known. It
// returns how many folders it has removed, and which processes do not end.
func Bury(name string, memo []byte, deadline time.Time) (removed int, left []int) {
	eachOf(name, memo, func(dir string) {
		for {
			killFolder(dir) // again, for who was forked meanwhile
			err := removeFolder(dir, min(time.Until(deadline), buryRound))
			if err == nil {
				removed++
				return
			}
			if !busy(err) || time.Now().After(deadline) {
				_ = eachFolder(dir, func(dir string) { left = append(left, processes(dir)...) })
				return
			}
		}
	})
	return removed, left
}

// buryRound is how long the killed may take to end before they are looked for again.
const buryRound = 50 * time.Millisecond

// eachOf calls f with the folders of a tree. They lie below the group of its owner, or
// below one above that: its groups are looked for there by memo, and where this process
// is. A tree that has this process in it has none: it would be its own end.
func eachOf(name string, memo []byte, f func(dir string)) {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil || isIn(own, prefix+name) {
		return
	}
	done := make(map[string]bool)
	for _, m := range parseMounts(mountinfo) {
		here := m.above(own)
		for _, dir := range append(here, m.above(memo)...) {
			tree := filepath.Join(dir, prefix+name)
			if st, err := os.Lstat(tree); err == nil && st.IsDir() && !done[tree] {
				done[tree] = true
				f(tree)
			}
		}
		for _, dir := range here {
			// Who was moved by a dead one moves back. A living one that has moved it is
			// that of a program around this one.
			if pid, ok := strings.CutPrefix(filepath.Base(dir), leafPrefix); ok && m.v2 {
				if n, err := strconv.Atoi(pid); err == nil && (done[filepath.Join(filepath.Dir(dir), prefix+name)] || unix.Kill(n, 0) == unix.ESRCH) {
					leave(filepath.Dir(dir), dir)
				}
			}
		}
	}
}

// isIn reports whether a process with this cgroup file is in a group of this name, or
// below one.
func isIn(cgroup []byte, name string) bool {
	for line := range bytes.Lines(cgroup) {
		if slices.Contains(strings.Split(strings.TrimSuffix(string(line), "\n"), "/"), name) {
			return true
		}
	}
	return false
}
