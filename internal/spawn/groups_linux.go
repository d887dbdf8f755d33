package spawn

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// groupPrefix begins the names of the cgroups that guardians make; their nonce follows.
const groupPrefix = "multiproc-"

// hierarchy is a mounted tree of cgroups.
type hierarchy struct {
	mount       string   // where
	root        string   // its cgroup that is mounted there
	controllers []string // as /proc/PID/cgroup names it; nil: version 2
}

// hierarchies reads them from /proc/self/mountinfo.
func hierarchies(mountinfo []byte) (found []hierarchy) {
	for line := range strings.Lines(string(mountinfo)) {
		left, right, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		h := hierarchy{mount: unescapeMount(l[4]), root: unescapeMount(l[3])}
		switch r[0] {
		case "cgroup":
			h.controllers = strings.Split(r[2], ",")
		case "cgroup2":
		default:
			continue
		}
		found = append(found, h)
	}
	return found
}

// unescapeMount undoes what mountinfo writes for blanks.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// has reports whether a line of /proc/PID/cgroup is about this hierarchy.
func (h *hierarchy) has(controllers string) bool {
	if len(h.controllers) == 0 || controllers == "" {
		return len(h.controllers) == 0 && controllers == ""
	}
	for c := range strings.SplitSeq(controllers, ",") {
		if !slices.Contains(h.controllers, c) {
			return false
		}
	}
	return true
}

// dirs returns the folders in which a process with this /proc/PID/cgroup makes its
// groups: that of its own group, and the one above, where the rules of version 2
// require it. memo may come from a file: a path that leaves the mount is no path.
func (h *hierarchy) dirs(memo []byte) (dirs []string) {
	for line := range strings.Lines(string(memo)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 || !h.has(f[1]) || !path.IsAbs(f[2]) || slices.Contains(strings.Split(f[2], "/"), "..") {
			continue
		}
		own, err := filepath.Rel(h.root, path.Clean(f[2]))
		if err != nil || !filepath.IsLocal(own) {
			continue
		}
		own = filepath.Join(h.mount, own)
		dirs = append(dirs, own)
		if own != h.mount {
			dirs = append(dirs, filepath.Dir(own))
		}
	}
	return dirs
}

// removeGroups removes the cgroups of this name, with what is below them, from every
// hierarchy in which this process may, and kills what is in them. They are looked for
// beside and below its own group, and those that memo, a /proc/PID/cgroup, tells of.
func removeGroups(name string, memo []byte, deadline time.Time) (removed int, left []int) {
	mountinfo, err := readProc("/proc/self/mountinfo")
	if err != nil {
		return 0, nil
	}
	own, err := readProc("/proc/self/cgroup")
	if err != nil || inGroup(own, name) {
		return 0, nil // it would be its own end
	}
	var dirs []string
	for _, h := range hierarchies(mountinfo) {
		for _, dir := range append(h.dirs(own), h.dirs(memo)...) {
			dir = filepath.Join(dir, name)
			if fi, err := os.Lstat(dir); err == nil && fi.IsDir() && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	for _, dir := range dirs {
		in := clearGroup(dir, deadline)
		if len(in) == 0 && removeGroup(dir, deadline) {
			removed++
		}
		left = append(left, in...)
	}
	return removed, left
}

// inGroup reports whether a process with this /proc/PID/cgroup is in a group of this
// name, or below one.
func inGroup(memo []byte, name string) bool {
	for line := range bytes.Lines(memo) {
		if slices.Contains(strings.Split(strings.TrimSuffix(string(line), "\n"), "/"), name) {
			return true
		}
	}
	return false
}

// clearGroup kills what is in a group and below it, and returns what did not end.
func clearGroup(dir string, deadline time.Time) (left []int) {
	for {
		// What is frozen does not die in version 1, and a kill as a whole, of version 2,
		// is one that no fork escapes.
		for _, d := range groupsBelow(dir) {
			writeGroup(d, "freezer.state", "THAWED")
		}
		writeGroup(dir, "cgroup.kill", "1")
		if left = groupMembers(dir); len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			killMember(pid, filepath.Base(dir))
		}
		if !awaitAny(left, deadline) {
			return left
		}
	}
}

// killMember kills a process if it is in a group of this name. That is asked while its
// id cannot be given away.
func killMember(pid int, name string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if memo, err := readProc("/proc/" + strconv.Itoa(pid) + "/cgroup"); err == nil && inGroup(memo, name) {
		unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// groupMembers lists the processes in a group and below it that are not dead. Those
// outside of this pid namespace are listed as 0 there.
func groupMembers(dir string) (pids []int) {
	for _, d := range groupsBelow(dir) {
		b, err := readProc(filepath.Join(d, "cgroup.procs"))
		if err != nil {
			continue
		}
		for _, pid := range appendNumbers(nil, b) {
			if st, ok := readStat(pid); pid > 0 && pid != os.Getpid() && ok && !st.dead() {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// groupsBelow returns a group and those below it, the deepest last.
func groupsBelow(dir string) (dirs []string) {
	filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	return dirs
}

// removeGroup removes a group and those below it. One whose last process has just ended
// is busy for an instant.
func removeGroup(dir string, deadline time.Time) bool {
	for {
		busy := false
		for _, d := range slices.Backward(groupsBelow(dir)) {
			if err := unix.Rmdir(d); err == unix.EBUSY {
				busy = true
			} else if err != nil && err != unix.ENOENT {
				return false
			}
		}
		if !busy {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(time.Millisecond) // no event tells of it
	}
}

// writeGroup writes to a file of a group, which not every version and hierarchy has.
func writeGroup(dir, file, value string) {
	fd, err := retry(func() (int, error) {
		return unix.Open(filepath.Join(dir, file), unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return
	}
	defer unix.Close(fd)
	unix.Write(fd, []byte(value))
}
