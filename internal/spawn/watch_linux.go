package spawn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/cgroup"
)

// The watchdog looks at trees that have limits. It finds what the kernel tells
// nobody (that it has refused a fork, that it has killed one process of a tree for
// memory) and enforces what the kernel does not: CPU time everywhere, memory and
// tasks where there is no control group of the kind, a full table of descriptors.
const (
	lookEvery = 20 * time.Millisecond
	// rareLook is for what would take long to be exceeded.
	rareLook = time.Second
	// scanEvery is how often a tree is searched for new processes, unless it is new or has
	// just begun some, and how often
	// descriptors are counted: the kernel gives out no more than the limit anyway.
	scanEvery = 100 * time.Millisecond
	// exactEvery is how often shared memory is divided up exactly, at most, while the
	// sum of what is not shared does not ask for it.
	exactEvery = 200 * time.Millisecond
	// memoryPace is how fast memory can be taken up, in bytes per nanosecond: more than
	// any machine manages, which has to clear it first.
	memoryPace = 8
)

// watcher is a guardian's watchdog. It runs while there is something to watch, and
// sleeps until the kernel tells something or until a limit could be exceeded.
type watcher struct {
	g     *guard
	alarm int // eventfd that ends its sleep: there is a new tree

	mu      sync.Mutex
	trees   []*tree
	changed bool // trees is not what is polled
	running bool
	loadavg int // whose last field is the id that was given out last
}

// watched is what the watchdog knows of a tree.
type watched struct {
	members map[int]*member
	lastPID int // the last id of the system when members were searched
	// scanAt is when they may be searched again, urgentAt if that is urgent;
	// CLOCK_MONOTONIC, as all these.
	scanAt, urgentAt  int64
	bornAt, scannedAt int64 // of the first search, and of the last

	lookAt int64 // when it is to be looked at again
	told   bool  // the kernel tells of events
	toldAt int64 // when it did last

	taskCount int64 // as of the last look

	base    cgroup.Events // as of Mark
	cpuBase time.Duration
	cpuSeen time.Duration // most that was seen where no group counts
	cpuAt   int64

	peak    int64 // largest resident memory seen
	bound   int64 // the sum of all resident pages when shared ones were divided up last
	exactAt int64
	noPeak  bool // the group's peak is of before Mark

	filesAt int64
	full    map[int]bool // who had all its descriptors in use at the last look
}

// member is a process of a tree. The files are open as long as it is one, so that a
// look costs a read, and none goes to another that is given its id. -1 = not open: then
// it is one only until members are searched again, since its id could be another's by
// then.
type member struct {
	pid               int
	statm, stat, dirs int
	thread            string // the folder of one that lives, below that of the process, if its first does not
}

// maxHeld is of how many processes of a tree files are held open: who starts many must
// not leave the guardian without descriptors for others.
const maxHeld = 64

// watch begins to look at t, if it has something to look at.
func (w *watcher) watch(t *tree) {
	l := &t.cell.Limits
	if l.Memory == 0 && l.CPU == 0 && l.PIDs == 0 && l.Files == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trees = append(w.trees, t)
	w.changed = true
	if !w.running {
		w.running = true
		go w.run()
		return
	}
	w.ring()
}

func (w *watcher) ring() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(w.alarm, one[:])
}

// forget ends the looking at t. From then on its process may be reaped.
func (w *watcher) forget(t *tree) {
	if t.cell == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.trees, t); i >= 0 {
		w.trees = slices.Delete(w.trees, i, i+1)
		w.changed = true
	}
}

func (w *watcher) run() {
	var fds []unix.PollFd
	var of []*tree // whose event each of fds is; nil for the alarm
	next := clockNow()
	for {
		pause := max(time.Duration(next-clockNow()), 0)
		_, err := unix.Poll(fds, int((pause+time.Millisecond-1)/time.Millisecond))
		w.mu.Lock()
		if len(w.trees) == 0 {
			w.running = false
			w.mu.Unlock()
			return
		}
		now := clockNow()
		for i := range fds {
			switch {
			case err != nil || fds[i].Revents == 0:
			case of[i] == nil:
				var b [8]byte
				_, _ = unix.Read(w.alarm, b[:])
			case slices.Contains(w.trees, of[i]):
				of[i].cell.lookAt, of[i].cell.toldAt = now, now
			}
		}
		if w.changed {
			w.changed = false
			fds, of = append(fds[:0], unix.PollFd{Fd: int32(w.alarm), Events: unix.POLLIN}), append(of[:0], nil)
			for _, t := range w.trees {
				// Who is being killed reads no events, and what was told would be told again
				// without end.
				if c := t.cell; c.group != nil && c.breach == nil {
					fds, c.told = c.group.Told(fds)
					for len(of) < len(fds) {
						of = append(of, t)
					}
				}
			}
		}
		last := w.lastPID()
		next = now + int64(rareLook)
		for _, t := range w.trees {
			if t.cell.lookAt <= now {
				t.cell.lookAt = w.look(t, now, last)
			}
			next = min(next, t.cell.lookAt)
		}
		w.mu.Unlock()
		if next-now < int64(lookEvery) {
			// One wake-up for many.
			next = now + int64(lookEvery)
		}
	}
}

// lastPID is the id that the system gave out last: as long as it stays the same,
// there is no new process and no new thread. -1 = not known.
func (w *watcher) lastPID() int {
	var b [128]byte
	n := rawPread(w.loadavg, b[:])
	text := bytes.TrimSpace(b[:max(n, 0)])
	pid, err := strconv.Atoi(string(text[bytes.LastIndexByte(text, ' ')+1:]))
	if err != nil {
		return -1
	}
	return pid
}

// look checks the limits of t, kills it if one is exceeded, and tells when to look
// again. w.mu is held, so the process is not reaped.
func (w *watcher) look(t *tree, now int64, last int) (next int64) {
	c := t.cell
	if c.breach == nil {
		if c.breach, next = w.check(t, now, last); c.breach == nil {
			return next
		}
		w.changed = true
	}
	// Until it has ended: without a group to kill, some may get away at first.
	w.g.signal(t, unix.SIGKILL, wholeTree)
	return now + int64(lookEvery)
}

func (w *watcher) check(t *tree, now int64, last int) (b *Breach, next int64) {
	c, l := t.cell, &t.cell.Limits
	soon := now + int64(lookEvery)
	next = now + int64(rareLook)
	if c.group != nil && (l.PIDs > 0 || l.Memory > 0) {
		// What was told of may take a moment to be counted.
		if !c.told || now-c.toldAt < int64(rareLook) {
			next = soon
		}
		if b, _ := c.eventBreach(); b != nil {
			return b, soon
		}
	}
	memory := l.Memory > 0 && c.memoryBy == byWatchdog
	tasks := l.PIDs > 0 && c.pidsBy == byWatchdog
	urgent, scanned := tasks && c.mayExceedTasks(last), false
	if memory || l.Files > 0 || l.CPU > 0 && c.group == nil || urgent {
		scanned = w.scan(t, now, last, urgent)
		next = min(next, c.scanAt)
	}
	if memory {
		b, used := c.checkMemory(now)
		if b != nil {
			return b, soon
		}
		next = min(next, now+(l.Memory-used)/memoryPace)
	}
	if tasks && scanned {
		if n := c.tasks(); n > int64(l.PIDs) {
			return &Breach{PIDs, int64(l.PIDs), n, byWatchdog, "/proc/PID/stat: tasks of " + processes(len(c.members))}, soon
		}
	}
	if tasks {
		next = soon
	}
	if l.Files > 0 && now >= c.filesAt {
		c.filesAt = now + int64(scanEvery)
		if b := c.checkFiles(); b != nil {
			return b, soon
		}
	}
	if l.CPU > 0 {
		if now >= c.cpuAt {
			used := c.used() - c.cpuBase
			if used > l.CPU {
				source := "/proc/PID/stat of the tree's processes"
				if c.group != nil {
					source = c.group.Usage().CPUSource
				}
				return &Breach{CPU, int64(l.CPU), int64(used), byWatchdog, source}, soon
			}
			// It cannot be used up before all processors have worked on it.
			c.cpuAt = now + min(int64(l.CPU-used)/int64(runtime.NumCPU()), int64(rareLook))
		}
		next = min(next, max(c.cpuAt, soon))
	}
	if next-now >= int64(scanEvery) {
		// What is not urgent is done for all trees at once.
		next -= next % int64(scanEvery)
	}
	return nil, max(next, soon)
}

// mayExceedTasks reports whether there may be more tasks than the limit, had all that
// the system has begun since the last scan become the tree's.
func (c *cell) mayExceedTasks(last int) bool {
	return c.members == nil || last < c.lastPID || c.taskCount+int64(last-c.lastPID) > int64(c.Limits.PIDs)
}

// scan brings the members up to date, if there may be new ones and the last time is a
// while ago, or it is urgent. It reports whether it did.
func (w *watcher) scan(t *tree, now int64, last int, urgent bool) bool {
	c := t.cell
	// One scan may overlook who is given another parent meanwhile, so it is repeated now
	// and then, also if nobody has come.
	unchanged := last >= 0 && last == c.lastPID && now < c.scannedAt+int64(rareLook)
	if c.members != nil && (unchanged || now < c.scanAt && (!urgent || now < c.urgentAt)) {
		return false
	}
	if c.members == nil {
		c.members = make(map[int]*member)
		c.bornAt = now
	}
	known := len(c.members)
	var pids []int
	if c.group != nil {
		pids = c.group.PIDs()
	} else {
		w.g.mu.Lock()
		for _, st := range w.g.members(t) {
			pids = append(pids, st.pid)
		}
		w.g.mu.Unlock()
	}
	for _, m := range c.members {
		if !m.held() {
			c.drop(m)
		}
	}
	for _, pid := range pids {
		if pid == t.pid && c.init() != nil {
			continue // what it uses is not the program's
		}
		if c.members[pid] == nil {
			c.members[pid] = openMember(pid, len(c.members) < maxHeld)
		}
	}
	c.lastPID, c.scannedAt = last, now
	// A bomb must not make the watchdog one.
	took := 4 * (clockNow() - now)
	every := int64(scanEvery)
	if len(c.members) > known || now-c.bornAt < int64(rareLook) {
		every = int64(lookEvery) // more may well come
	}
	c.scanAt, c.urgentAt = now+max(every, took), now+took
	return true
}

func openMember(pid int, hold bool) *member {
	m := &member{pid: pid, statm: -1, stat: -1, dirs: -1}
	if !hold {
		return m
	}
	for _, f := range []struct {
		fd    *int
		name  string
		flags int
	}{{&m.statm, "/statm", unix.O_RDONLY}, {&m.stat, "/stat", unix.O_RDONLY}, {&m.dirs, "/fd", unix.O_PATH}} {
		if fd, err := unix.Open(m.path(f.name), f.flags|unix.O_CLOEXEC, 0); err == nil {
			*f.fd = fd
		}
	}
	return m
}

func (m *member) path(name string) string { return "/proc/" + strconv.Itoa(m.pid) + name }

// held reports whether all its files are open.
func (m *member) held() bool { return m.statm >= 0 && m.stat >= 0 && m.dirs >= 0 }

// read reads one of its files, of which fd is the open one. It returns nothing if that
// fails.
func (m *member) read(fd int, name string, b []byte) []byte {
	if fd < 0 {
		text, _ := readProc(m.path(name))
		return text
	}
	return b[:max(rawPread(fd, b), 0)]
}

func (m *member) close() {
	for _, fd := range []int{m.statm, m.stat, m.dirs} {
		if fd >= 0 {
			rawClose(fd)
		}
	}
}

func (c *cell) drop(m *member) {
	m.close()
	delete(c.members, m.pid)
}

func (c *cell) closeMembers() {
	for _, m := range c.members {
		m.close()
	}
	c.members = nil
}

// checkMemory adds up what the members have resident. used is a little more than that,
// if memory is shared.
func (c *cell) checkMemory(now int64) (b *Breach, used int64) {
	limit := c.Limits.Memory
	var all, own int64 // with and without pages that could be others' too
	for _, m := range c.members {
		size, resident, shared, ok := m.pages()
		if !ok || size == 0 {
			c.drop(m) // it has ended
			continue
		}
		all += resident
		own += resident - shared
	}
	if all <= c.peak || len(c.members) == 0 {
		return nil, all
	}
	if len(c.members) == 1 && all <= limit {
		c.peak = all
		return nil, all
	}
	// Dividing up shared pages takes the kernel a walk through all of them.
	if now < c.exactAt && own <= limit || all <= limit && all < c.bound+c.bound/16+1<<20 {
		return nil, all
	}
	c.bound = all
	var exact int64
	for _, m := range c.members {
		exact += m.proportional()
	}
	c.peak = max(c.peak, exact)
	c.exactAt = now + max(int64(exactEvery), 8*(clockNow()-now))
	if exact <= limit {
		return nil, exact
	}
	return &Breach{Memory, limit, exact, byWatchdog, "resident memory of " + processes(len(c.members)) + ", shared pages divided"}, exact
}

// processes counts them, for people.
func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return strconv.Itoa(n) + " processes"
}

var pageSize = int64(syscall.Getpagesize())

// pages reads a process's memory, in bytes. size is 0 for one that has ended.
func (m *member) pages() (size, resident, shared int64, ok bool) {
	var b [128]byte
	size, resident, shared, ok = parsePages(m.read(m.statm, "/statm", b[:]))
	if !ok || size > 0 {
		return size, resident, shared, ok
	}
	// Its first thread may have ended, and have taken its view of the memory along: see
	// environOfThreads.
	tasks, _ := readDirNumbers(m.path("/task"))
	for _, tid := range tasks {
		thread := "/task/" + strconv.Itoa(tid)
		if text, err := readProc(m.path(thread + "/statm")); err == nil {
			if size, resident, shared, ok := parsePages(text); ok && size > 0 {
				m.thread = thread
				return size, resident, shared, true
			}
		}
	}
	return 0, 0, 0, true
}

// parsePages reads the first three numbers of a statm file, which counts pages.
func parsePages(b []byte) (size, resident, shared int64, ok bool) {
	var f [3]int64
	i := 0
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			f[i] = 10*f[i] + int64(c-'0')
		case i == len(f)-1:
			return f[0] * pageSize, f[1] * pageSize, f[2] * pageSize, true
		default:
			i++
		}
	}
	return 0, 0, 0, false
}

// proportional is what a process has resident, each page divided by the number of
// processes that share it. Where that may not be read, it is what it does not share.
func (m *member) proportional() int64 {
	b, err := readProc(m.path(m.thread + "/smaps_rollup"))
	if err == nil {
		for line := range bytes.Lines(b) {
			if v, ok := bytes.CutPrefix(line, []byte("Pss:")); ok {
				if kb, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(v), []byte("kB")))), 10, 64); err == nil {
					return kb << 10
				}
			}
		}
	}
	_, resident, shared, _ := m.pages()
	return resident - shared
}

// times reads the CPU time of a process and of its children that it waited for, and
// the number of its tasks.
func (m *member) times() (cpu time.Duration, tasks int64, ok bool) {
	var b [1024]byte
	text := m.read(m.stat, "/stat", b[:])
	// f[0] is field 3 of proc(5).
	f := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(f) < 18 {
		return 0, 0, false
	}
	var sum int64
	for _, v := range f[11:15] {
		t, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return 0, 0, false
		}
		sum += t
	}
	tasks, err := strconv.ParseInt(string(f[17]), 10, 64)
	dead := (f[0][0] == 'Z' || f[0][0] == 'X') && tasks <= 1 // as procStat.dead
	return time.Duration(sum * tick), tasks, err == nil && !dead
}

func (c *cell) tasks() (n int64) {
	for _, m := range c.members {
		_, tasks, ok := m.times()
		if !ok {
			c.drop(m)
			continue
		}
		n += tasks
	}
	c.taskCount = n
	return n
}

// used is the CPU time of the tree since it was started. Without a group it is less
// than that by what orphans have used that have ended.
func (c *cell) used() time.Duration {
	if c.group != nil {
		return c.group.CPU()
	}
	var sum time.Duration
	for _, m := range c.members {
		cpu, _, ok := m.times() // of the dead it counts until their parent has waited
		if !ok && cpu == 0 {
			c.drop(m)
		}
		sum += cpu
	}
	c.cpuSeen = max(c.cpuSeen, sum)
	return c.cpuSeen
}

// checkFiles looks for a process that has all the descriptors which it may have, twice
// in succession: for a moment, as when it loads a library, it may well need just these.
// The kernel gives it no more, and tells nobody.
func (c *cell) checkFiles() *Breach {
	limit := int64(c.Limits.Files)
	before := c.full
	c.full = nil
	for _, m := range c.members {
		n, ok := m.descriptors()
		if !ok {
			c.drop(m)
			continue
		}
		if n < limit {
			continue
		}
		if c.full == nil {
			c.full = make(map[int]bool)
		}
		if c.full[m.pid] = true; before[m.pid] {
			return &Breach{Files, limit, n, byRlimit, fmt.Sprintf("/proc/%d/fd: process %d has all its descriptors in use", m.pid, m.pid)}
		}
	}
	return nil
}

// descriptors counts those of a process: by one call, since Linux 6.2, or by a walk
// through the folder.
func (m *member) descriptors() (n int64, ok bool) {
	var st unix.Stat_t
	if m.dirs >= 0 {
		if _, _, errno := unix.RawSyscall(unix.SYS_FSTAT, uintptr(m.dirs), uintptr(unsafe.Pointer(&st)), 0); errno != 0 {
			return 0, false
		}
	} else if unix.Stat(m.path("/fd"), &st) != nil {
		return 0, false
	}
	if st.Size == 0 {
		fds, err := readDirNumbers(m.path("/fd"))
		return int64(len(fds)), err == nil
	}
	return st.Size, true
}

// usage is what the tree has used since its start, or since Mark.
func (c *cell) usage() (u Usage) {
	if c.group != nil {
		g := c.group.Usage()
		u.CPU, u.CPUSource = g.CPU-c.cpuBase, g.CPUSource
		if g.Peak > 0 && !c.noPeak {
			u.Peak, u.PeakSource = g.Peak, g.PeakSource
		}
	} else {
		u.CPU, u.CPUSource = c.used()-c.cpuBase, byWatchdog
	}
	if u.Peak == 0 && c.peak > 0 {
		u.Peak, u.PeakSource = c.peak, byWatchdog
	}
	return u
}

// mark makes usage count from now.
func (w *watcher) mark(c *cell) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.cpuBase = c.used()
	c.cpuAt, c.peak, c.bound, c.exactAt = 0, 0, 0, 0
	if c.group != nil {
		c.base = c.group.Events()
		c.noPeak = !c.group.ResetPeak()
	}
}

// measure reads usage, and a breach for which the tree is being killed.
func (w *watcher) measure(c *cell) ending {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.group == nil {
		if l := &c.Limits; l.Memory > 0 {
			_, _ = c.checkMemory(clockNow())
		}
	}
	return ending{Breach: c.breach, Usage: c.usage()}
}
