package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Controllers.
const (
	memory  = "memory"
	pids    = "pids"
	cpuacct = "cpuacct"
)

// Names of what limits, as Tree.By gives them.
const (
	V2 = "cgroup v2"
	V1 = "cgroup v1"
)

// prefix of the folders that are trees, and of the leaves that Config.Head moves to:
// those hold processes of others.
const (
	prefix     = "multiproc-"
	leafPrefix = "multiproc.leaf-"
)

// Config says where a tree may be made. The zero value is right for most.
type Config struct {
	// Head is a process of which this one and it alone, with their descendants, are
	// expected in this process's group: they may be moved to a leaf of it so that its
	// controllers can be given to other leaves. 0 is this process.
	Head int

	// Only is V2 or V1: make no group of the other version. "" makes both.
	Only string
}

// Tree is a folder of groups in each hierarchy that is of use. Its methods may be
// called by many goroutines at once, except for Remove.
type Tree struct {
	name string
	v2   *branch
	v1   map[string]*branch // by controller
	why  map[string]string  // by resource: why no controller limits it
}

// branch is a tree's folder in one hierarchy.
type branch struct {
	dir      string
	home     int      // version 1: the tasks file of this process's own group, -1 in version 2
	lock     int      // holds the lock
	limits   []string // controllers that limit here
	canClone bool     // version 2: a process can be started in a group
	leaf     string   // to which the processes of the group above were moved, or ""
}

// Open makes the tree, whose name is 32 hexadecimal digits, removing those of dead
// owners beside it. It takes a millisecond or so. In version 1 groups are made below this process's own. In
// version 2 a group that has processes cannot give controllers to others, so they
// are made
//
//   - below this process's own group, if its controllers are given on already, if it
//     is the root, or if nobody but Head and its descendants is in it, who then move
//     to a leaf until Remove;
//   - else below the nearest group above that gives its controllers on, or is the
//     root, if no memory or CPU limit lies between, and none of these is a group of
//     another tree: nobody gets out of a limit that way;
//   - else below its own, where they hold processes together and count CPU time.
//
// The error is ErrNone if there is nothing.
func Open(name string, c Config) (*Tree, error) {
	if !isName(name) {
		return nil, fmt.Errorf("control groups %q: the name is not 32 hexadecimal digits", name)
	}
	v2, v1, err := find()
	if err != nil {
		return nil, err
	}
	t := &Tree{name: name, v1: make(map[string]*branch), why: make(map[string]string)}
	for _, r := range []string{memory, pids} {
		t.why[r] = "neither version of control groups has a controller of it here"
	}
	var failed []error
	if v2 != nil && c.Only != V1 {
		if t.v2, err = openV2(v2, name, &c, t.why); err != nil {
			failed = append(failed, err)
		}
	}
	if c.Only != V2 {
		made := make(map[string]*branch) // several controllers may share a folder
		for _, r := range []string{memory, pids, cpuacct} {
			p := v1[r]
			if p == nil || t.v2 != nil && (r == cpuacct || slices.Contains(t.v2.limits, r)) {
				continue
			}
			dir := filepath.Join(p.own, prefix+name)
			b := made[dir]
			if b == nil {
				if b, err = makeBranch(p.own, name); err != nil {
					failed = append(failed, err)
					t.why[r] = err.Error()
					continue
				}
				made[dir] = b
				if b.home, err = unix.Open(filepath.Join(p.own, "tasks"), unix.O_WRONLY|unix.O_CLOEXEC, 0); err != nil {
					b.home = -1
				}
				if r == memory {
					// Only old kernels have a choice.
					_ = write(filepath.Join(dir, "memory.use_hierarchy"), "1")
				}
			}
			b.limits = append(b.limits, r)
			t.v1[r] = b
		}
	}
	for _, r := range []string{memory, pids} {
		if t.By(r) != "" {
			delete(t.why, r)
		}
	}
	if t.v2 == nil && len(t.v1) == 0 {
		if len(failed) == 0 {
			return nil, fmt.Errorf("%w: none of this kind is mounted", ErrNone)
		}
		return nil, fmt.Errorf("%w: %w", ErrNone, failed[0]) // the others say the same
	}
	return t, nil
}

func isTree(folder string) bool {
	name, ok := strings.CutPrefix(folder, prefix)
	return ok && isName(name)
}

// isName tells trees from other folders, which nobody may take for stale ones.
func isName(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

func find() (v2 *place, v1 map[string]*place, err error) {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, nil, fmt.Errorf("find control groups: %w", err)
	}
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, nil, fmt.Errorf("find control groups: %w", err)
	}
	v2, v1 = places(mountinfo, cgroup)
	return v2, v1, nil
}

// By tells which version limits a resource, "memory" or "pids", in groups of this
// tree; "" is none.
func (t *Tree) By(resource string) string {
	switch {
	case t.v2 != nil && slices.Contains(t.v2.limits, resource):
		return V2
	case t.v1[resource] != nil:
		return V1
	}
	return ""
}

// Why tells for people why nothing limits a resource, "" if something does.
func (t *Tree) Why(resource string) string { return t.why[resource] }

// makeBranch makes the folder of a tree, and locks it.
func makeBranch(parent, name string) (*branch, error) {
	removeStale(parent, name)
	dir := filepath.Join(parent, prefix+name)
	for range 100 {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err // it names the folder
		}
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open control group %s: %w", dir, err)
		}
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			if _, err := os.Lstat(dir); err == nil {
				return &branch{dir: dir, lock: fd, home: -1}, nil
			}
		}
		// Somebody took it for stale: it is removed at once, since it is empty.
		unix.Close(fd)
		time.Sleep(time.Millisecond)
	}
	return nil, fmt.Errorf("control group %s is another's", dir)
}

// removeStale removes trees beside the one of this name whose owners are dead.
func removeStale(parent, name string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !isTree(e.Name()) || e.Name() == prefix+name {
			continue
		}
		dir := filepath.Join(parent, e.Name())
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			killFolder(dir)
			_ = removeFolder(dir, staleWait)
		}
		unix.Close(fd)
	}
}

// staleWait is how long a killed stranger is waited for. What it holds is removed
// by the next one to come.
const staleWait = 100 * time.Millisecond

// openV2 makes the tree's folder where the most controllers are.
func openV2(p *place, name string, c *Config, why map[string]string) (*branch, error) {
	dir, leaf := p.parent(c, why)
	b, err := makeBranch(dir, name)
	if err != nil && dir != p.own {
		dir = p.own
		b, err = makeBranch(dir, name)
	}
	if err != nil {
		if leaf != "" {
			leave(p.own, leaf)
		}
		return nil, err
	}
	b.leaf = leaf
	enable(b.dir, controllers(dir, "cgroup.subtree_control"))
	b.limits = controllers(b.dir, "cgroup.subtree_control")
	b.canClone = cloneInto() && mayMove(p.own, dir)
	return b, nil
}

// parent chooses the group below which the tree is made, as Open documents. why is
// told why one of the controllers cannot be had.
func (p *place) parent(c *Config, why map[string]string) (dir, leaf string) {
	for dir := p.own; ; dir = filepath.Dir(dir) {
		// Only the root has no type.
		_, err := os.Lstat(filepath.Join(dir, "cgroup.type"))
		root := errors.Is(err, fs.ErrNotExist)
		if unix.Access(dir, unix.W_OK) == nil {
			have := controllers(dir, "cgroup.controllers")
			missing := without(have, controllers(dir, "cgroup.subtree_control"))
			leaf := ""
			if len(missing) > 0 && (root || dir == p.own) {
				if root {
					enable(dir, missing)
				} else if leaf = vacate(dir, c.Head); leaf != "" {
					enable(dir, missing)
				}
				missing = without(have, controllers(dir, "cgroup.subtree_control"))
			}
			if len(have) > 0 && len(missing) == 0 {
				return dir, leaf
			}
			if leaf != "" {
				leave(dir, leaf)
			}
			if len(have) == 0 && root {
				break
			}
			for _, r := range missing {
				why[r] = "control group " + dir + " has other processes: start the supervisor in a group of its own" +
					" (systemd-run --user --scope -p Delegate=yes)"
			}
		} else {
			for _, r := range []string{memory, pids} {
				why[r] = "control group " + dir + " belongs to another user: have one delegated" +
					" (systemd-run --user --scope -p Delegate=yes)"
			}
			break // nor can what lies above be given to this user
		}
		if root || dir == p.dir || isTree(filepath.Base(dir)) || isTree(filepath.Base(filepath.Dir(dir))) || limited(dir) {
			break
		}
	}
	return p.own, ""
}

// limited reports whether a group has a limit that its neighbours have not.
func limited(dir string) bool {
	for file, none := range map[string]string{"memory.max": "max", "memory.high": "max", "cpu.max": "max "} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err == nil && !strings.HasPrefix(string(b), none) {
			return true
		}
	}
	return false
}

// controllers reads which of those that we use a file of version 2 lists.
func controllers(dir, file string) (list []string) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil
	}
	for _, c := range strings.Fields(string(b)) {
		if c == memory || c == pids {
			list = append(list, c)
		}
	}
	return list
}

func without(list, out []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(out, s) })
}

// enable gives controllers on, each one that can be.
func enable(dir string, list []string) {
	for _, c := range list {
		_ = write(filepath.Join(dir, "cgroup.subtree_control"), "+"+c)
	}
}

// vacate moves the processes of a group to a leaf of it, if head and its descendants
// are all that it has. It returns the leaf, or "".
func vacate(dir string, head int) string {
	if head == 0 {
		head = os.Getpid()
	}
	leaf := filepath.Join(dir, leafPrefix+strconv.Itoa(os.Getpid()))
	members := processes(dir)
	for _, pid := range members {
		if !descends(pid, head) {
			return ""
		}
	}
	if os.Mkdir(leaf, 0o755) != nil {
		return ""
	}
	// Who is forked meanwhile is found in the next round.
	for range 100 {
		for _, pid := range members {
			_ = write(filepath.Join(leaf, "cgroup.procs"), strconv.Itoa(pid))
		}
		if members = processes(dir); len(members) == 0 {
			return leaf
		}
	}
	leave(dir, leaf)
	return ""
}

// leave undoes vacate.
func leave(dir, leaf string) {
	for _, c := range []string{memory, pids} {
		_ = write(filepath.Join(dir, "cgroup.subtree_control"), "-"+c)
	}
	for range 100 {
		members := processes(leaf)
		for _, pid := range members {
			_ = write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid))
		}
		if len(members) == 0 {
			break
		}
	}
	_ = os.Remove(leaf)
}

// descends reports whether pid is head, or below it.
func descends(pid, head int) bool {
	for range 1000 {
		if pid == head {
			return true
		}
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return false
		}
		// The name before the last parenthesis may hold anything.
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) < 2 {
			return false
		}
		if pid, err = strconv.Atoi(f[1]); err != nil || pid <= 1 {
			return pid == head && err == nil
		}
	}
	return false
}

// mayMove reports whether processes of one group can be put into those below
// another: that takes the right to write to what is above both.
func mayMove(own, dir string) bool {
	common := own
	for common != dir && !strings.HasPrefix(dir, common+"/") {
		common = filepath.Dir(common)
	}
	return unix.Access(filepath.Join(common, "cgroup.procs"), unix.W_OK) == nil
}

// write writes to a file of a group. The error names the file.
func write(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte(value))
		unix.Close(fd)
	}
	if err != nil {
		return fmt.Errorf("write %q to %s: %w", value, path, err)
	}
	return nil
}

// Remove kills what is left in the groups of the tree and removes them, waiting for
// as long as the killed take to end, at most for wait. It is idempotent.
func (t *Tree) Remove(wait time.Duration) error {
	var failed []error
	remove := func(b *branch) {
		if b.lock < 0 {
			return
		}
		killFolder(b.dir)
		if err := removeFolder(b.dir, wait); err != nil {
			failed = append(failed, err)
		}
		if b.leaf != "" {
			leave(filepath.Dir(b.leaf), b.leaf)
		}
		if b.home >= 0 {
			unix.Close(b.home)
		}
		unix.Close(b.lock)
		b.lock = -1
	}
	if t.v2 != nil {
		remove(t.v2)
	}
	for _, b := range t.v1 {
		remove(b)
	}
	return errors.Join(failed...)
}
