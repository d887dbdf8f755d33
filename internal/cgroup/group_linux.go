package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of a group. A zero field is no limit.
type Limits struct {
	Memory int64 // bytes, of all its processes together, page cache that cannot be dropped included; no swap
	PIDs   int   // processes and threads
}

// Usage is what the processes of a group have used. Source is the file that told,
// "" if none did.
type Usage struct {
	CPU        time.Duration // of the living and the dead; never reset
	CPUSource  string
	Peak       int64 // bytes, since the start or ResetPeak
	PeakSource string
}

// Events are counters that only grow.
type Events struct {
	AtLimit  int64 // how often memory was wanted beyond the limit, and nothing could be freed
	OOMKills int64 // processes that the kernel killed for want of memory, the group's or the machine's
	PIDsMax  int64 // forks that failed for the limit
}

// Group is a control group in each hierarchy of its tree that is of use to it. Its
// methods may be called by many goroutines at once, except for Remove. All but Remove
// are quick, and none waits.
type Group struct {
	tree  *Tree
	name  string
	dirs  []string // version 2 first, if there is one
	v2    int      // its directory, -1 without version 2
	joins []int    // files that a process has to write 0 to

	limit int64 // of memory, in version 1; 0 = none there
	pids  int64 // its limit, in version 1; 0 = none there
	in    map[*branch]string

	cpu, peak, oom, forks, procs file // procs of version 2 only
	alarm                        int  // eventfd by which version 1 tells that memory is at its limit, or -1

	// ended are the events as of the first Kill that had to forbid forks, each of which
	// then counts as one that failed for the limit.
	ended atomic.Pointer[Events]
}

// file is one that is read again and again. fd is -1 if there is none.
type file struct {
	fd   int
	name string // for people
}

// New makes a group. name is a folder's. The limits that By knows are in force; of
// others nothing is said. Errors are the system's.
func (t *Tree) New(name string, l Limits) (*Group, error) {
	g := &Group{tree: t, name: name, v2: -1, alarm: -1}
	for _, f := range []*file{&g.cpu, &g.peak, &g.oom, &g.forks, &g.procs} {
		f.fd = -1
	}
	if err := g.make(l); err != nil {
		g.closeFiles()
		for _, dir := range g.dirs {
			_ = os.Remove(dir)
		}
		return nil, err
	}
	return g, nil
}

func (g *Group) make(l Limits) error {
	t := g.tree
	var err error
	if t.v2 != nil {
		dir, err := g.mkdir(t.v2)
		if err != nil {
			return err
		}
		if t.By(memory) == V2 {
			if l.Memory > 0 {
				if err := limit(dir, "memory.max", l.Memory); err != nil {
					return err
				}
				// Neither is there without swap, or in old kernels.
				_ = write(filepath.Join(dir, "memory.swap.max"), "0")
				_ = write(filepath.Join(dir, "memory.oom.group"), "1")
			}
			g.peak.openPeak(dir, "memory.peak", V2)
			g.oom.open(dir, "memory.events", V2)
		}
		if t.By(pids) == V2 && l.PIDs > 0 {
			if err := limit(dir, "pids.max", int64(l.PIDs)); err != nil {
				return err
			}
			g.forks.open(dir, "pids.events", V2)
		}
		g.cpu.open(dir, "cpu.stat", V2)
		g.procs.name = V2 + " cgroup.procs"
		if g.procs.fd, err = unix.Open(filepath.Join(dir, "cgroup.procs"), unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return fmt.Errorf("open %s/cgroup.procs: %w", dir, err)
		}
		if g.v2, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
			return fmt.Errorf("open control group %s: %w", dir, err)
		}
		if !t.v2.canClone {
			if err := g.join(dir); err != nil {
				return err
			}
		}
	}
	made := make(map[*branch]string)
	g.in = made
	// A process that has to join one may as well join them all: so the memory of one
	// with a limit of pids is known.
	if t.v2 == nil || t.By(memory) == V1 && l.Memory > 0 || t.By(pids) == V1 && l.PIDs > 0 {
		for _, b := range t.v1 {
			if made[b] == "" {
				if made[b], err = g.mkdir(b); err != nil {
					return err
				}
				if err := g.join(made[b]); err != nil {
					return err
				}
			}
		}
	}
	if dir := made[t.v1[memory]]; dir != "" {
		if l.Memory > 0 {
			if err := limit(dir, "memory.limit_in_bytes", l.Memory); err != nil {
				return err
			}
			// Not there if swap is not accounted.
			_ = write(filepath.Join(dir, "memory.memsw.limit_in_bytes"), strconv.FormatInt(l.Memory, 10))
		}
		g.peak.openPeak(dir, "memory.max_usage_in_bytes", V1)
		g.oom.open(dir, "memory.oom_control", V1)
		if g.limit = l.Memory; g.limit > 0 {
			g.setAlarm(dir)
		}
	}
	if dir := made[t.v1[pids]]; dir != "" && l.PIDs > 0 {
		if err := limit(dir, "pids.max", int64(l.PIDs)); err != nil {
			return err
		}
		g.forks.open(dir, "pids.events", V1)
		g.pids = int64(l.PIDs)
	}
	if dir := made[t.v1[cpuacct]]; dir != "" && g.cpu.fd < 0 {
		g.cpu.open(dir, "cpuacct.usage", V1)
	}
	return nil
}

// setAlarm asks version 1 for an event when memory is at its limit. Without one, Told
// says so.
func (g *Group) setAlarm(dir string) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return
	}
	if write(filepath.Join(dir, "cgroup.event_control"), fmt.Sprint(fd, " ", g.oom.fd)) != nil {
		unix.Close(fd)
		return
	}
	g.alarm = fd
}

func (g *Group) mkdir(b *branch) (string, error) {
	dir := filepath.Join(b.dir, g.name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a control group: %w", err)
	}
	g.dirs = append(g.dirs, dir)
	return dir, nil
}

func (g *Group) join(dir string) error {
	path := filepath.Join(dir, "cgroup.procs")
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	g.joins = append(g.joins, fd)
	return nil
}

func limit(dir, file string, n int64) error {
	return write(filepath.Join(dir, file), strconv.FormatInt(n, 10))
}

func (f *file) open(dir, name, version string) {
	fd, err := unix.Open(filepath.Join(dir, name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		f.fd, f.name = fd, version+" "+name
	}
}

// openPeak opens a file that is reset by writing to it.
func (f *file) openPeak(dir, name, version string) {
	fd, err := unix.Open(filepath.Join(dir, name), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		f.open(dir, name, version) // kernels before 6.12 know no reset
		return
	}
	f.fd, f.name = fd, version+" "+name
}

// read returns the beginning of the file.
func (f *file) read(b []byte) []byte {
	if f.fd < 0 {
		return nil
	}
	n := pread(f.fd, b)
	return b[:max(n, 0)]
}

// number reads the file's only number.
func (f *file) number() int64 {
	var b [32]byte
	n, err := strconv.ParseInt(string(bytes.TrimSpace(f.read(b[:]))), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// field reads the number behind a key of a line.
func field(b []byte, key string) (n int64) {
	for line := range bytes.Lines(b) {
		if len(line) > len(key) && line[len(key)] == ' ' && string(line[:len(key)]) == key {
			for _, c := range bytes.TrimSpace(line[len(key):]) {
				if c < '0' || c > '9' {
					return 0
				}
				n = 10*n + int64(c-'0')
			}
			return n
		}
	}
	return 0
}

// Dir is the directory of the group in version 2, in which a process can be started
// (CLONE_INTO_CGROUP), -1 if there is none or that cannot be done. It is the group's.
func (g *Group) Dir() int {
	if g.v2 >= 0 && !g.tree.v2.canClone {
		return -1
	}
	return g.v2
}

// Joins are files that a process which is to be a member writes "0" to. They are the
// group's.
func (g *Group) Joins() []int { return g.joins }

// CanEnter reports whether all that a process would have to join is of version 1, where
// threads are members of their own: what a thread starts while it is in is in, too, and
// need not join.
func (g *Group) CanEnter() bool {
	for b := range g.in {
		if b.home < 0 {
			return false
		}
	}
	return len(g.in) > 0 && (g.v2 < 0 || g.tree.v2.canClone)
}

// Enter makes the calling thread a member in version 1, until Leave. Nobody may Kill the
// group meanwhile. On an error Leave is to be called all the same.
func (g *Group) Enter() error {
	// It counts as a task itself.
	if g.pids > 0 {
		if err := limit(g.in[g.tree.v1[pids]], "pids.max", g.pids+1); err != nil {
			return err
		}
	}
	for b, dir := range g.in {
		if err := write(filepath.Join(dir, "tasks"), "0"); err != nil {
			return fmt.Errorf("enter control group %s: %w", filepath.Base(b.dir), err)
		}
	}
	return nil
}

// Leave moves the calling thread back to the groups of this process.
func (g *Group) Leave() error {
	for b, dir := range g.in {
		if _, err := unix.Write(b.home, []byte("0")); err != nil {
			return fmt.Errorf("leave control group %s: %w", dir, err)
		}
	}
	if g.pids > 0 {
		return limit(g.in[g.tree.v1[pids]], "pids.max", g.pids)
	}
	return nil
}

// AllJoins are Joins and, where Dir is one, the file of version 2 as well: for a process
// that is not to be started in the group.
func (g *Group) AllJoins() []int {
	if g.v2 < 0 || !g.tree.v2.canClone {
		return g.joins
	}
	return append([]int{g.procs.fd}, g.joins...)
}

// Path is what a member's cgroup file in /proc ends with, in each line that is about
// this group.
func (g *Group) Path() string { return "/" + prefix + g.tree.name + "/" + g.name }

// Usage reads what was used.
func (g *Group) Usage() (u Usage) {
	u.CPU, u.CPUSource = g.CPU(), g.cpu.name
	if u.Peak = g.peak.number(); u.Peak > 0 {
		u.PeakSource = g.peak.name
	}
	return u
}

// CPU reads the CPU time alone.
func (g *Group) CPU() time.Duration {
	var b [512]byte
	if g.cpu.name == V1+" cpuacct.usage" {
		return time.Duration(g.cpu.number())
	}
	return time.Duration(field(g.cpu.read(b[:]), "usage_usec")) * time.Microsecond
}

// ResetPeak makes the peak count from now. It reports whether it can: Linux 6.12 is
// needed for version 2.
func (g *Group) ResetPeak() bool {
	if g.peak.fd < 0 {
		return false
	}
	_, err := unix.Pwrite(g.peak.fd, []byte("0"), 0)
	return err == nil
}

// Events reads the counters. After Kill they need not change any more.
func (g *Group) Events() (e Events) {
	if ended := g.ended.Load(); ended != nil {
		return *ended
	}
	var b [512]byte
	if g.alarm >= 0 {
		_, _ = unix.Read(g.alarm, b[:8])
	}
	text := g.oom.read(b[:])
	e.OOMKills, e.AtLimit = field(text, "oom_kill"), field(text, "oom")
	// Version 1 does not tell the two apart, and newer kernels do not count failures.
	// What is charged at once is no more than slack.
	if slack := min(g.limit/8, 1<<20); g.limit > 0 && e.OOMKills > 0 && g.peak.number() >= g.limit-slack {
		e.AtLimit = e.OOMKills
	}
	e.PIDsMax = field(g.forks.read(b[:]), "max")
	return e
}

// Told adds to fds what to poll for a change of Events, and reports whether it is told of
// all that need an answer. (That version 2 has killed for memory needs none: it has
// killed the whole group.) The alarm comes before the kill that it is about. Events makes
// all of them ready for the next change.
func (g *Group) Told(fds []unix.PollFd) ([]unix.PollFd, bool) {
	if g.forks.fd >= 0 {
		fds = append(fds, unix.PollFd{Fd: int32(g.forks.fd), Events: unix.POLLPRI})
	}
	if g.alarm >= 0 {
		fds = append(fds, unix.PollFd{Fd: int32(g.alarm), Events: unix.POLLIN})
	}
	return fds, g.limit == 0 || g.alarm >= 0
}

// EventFiles names, for people, the files behind OOMKills and PIDsMax, "" = none.
func (g *Group) EventFiles() (memory, pids string) { return g.oom.name, g.forks.name }

// Kill kills all processes of the group, those too that fork meanwhile. They end a
// moment later: see Populated.
func (g *Group) Kill() {
	if g.v2 >= 0 && write(filepath.Join(g.dirs[0], "cgroup.kill"), "1") == nil {
		return // who is in the others is in this one
	}
	e := g.Events()
	g.ended.CompareAndSwap(nil, &e)
	for _, dir := range g.dirs {
		killFolder(dir)
	}
}

// PIDs lists the processes of the group that have not ended.
func (g *Group) PIDs() (list []int) {
	var b [1024]byte
	if text := g.procs.read(b[:]); g.procs.fd >= 0 && len(text) < len(b) {
		return parsePIDs(text)
	}
	for _, dir := range g.dirs {
		list = append(list, processes(dir)...)
		if g.v2 >= 0 {
			break
		}
	}
	return list
}

// Populated reports whether any process of the group, or of one below it, lives.
func (g *Group) Populated() bool {
	if g.v2 >= 0 {
		b, err := os.ReadFile(filepath.Join(g.dirs[0], "cgroup.events"))
		return err == nil && field(b, "populated") != 0
	}
	for _, dir := range g.dirs {
		populated := false
		_ = eachFolder(dir, func(dir string) { populated = populated || len(processes(dir)) > 0 })
		if populated {
			return true
		}
	}
	return false
}

// Remove closes and removes the group, waiting at most for wait until its killed
// processes are gone. It is called once.
func (g *Group) Remove(wait time.Duration) error {
	g.closeFiles()
	var failed []error
	for _, dir := range g.dirs {
		if err := removeFolder(dir, wait); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (g *Group) closeFiles() {
	for _, fd := range append(g.joins, g.v2, g.cpu.fd, g.peak.fd, g.oom.fd, g.forks.fd, g.procs.fd, g.alarm) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	g.joins, g.v2 = nil, -1
}
