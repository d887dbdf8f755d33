package spawn

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// killWait bounds how long a killed process is waited for. Only one that is
// stuck in the kernel, or may not be killed by this user, takes longer than
// milliseconds.
const killWait = 5 * time.Second

// tree is a lane's process and its descendants.
//
// A descendant stays below the process, or, when its parent died, becomes a
// child of the guardian's main thread: an orphan. So a tree is empty when its
// process is reaped and none of the orphans is its own.
type tree struct {
	pid    int
	tid    int    // the lane's thread, whose child pid is
	marker string // its part of TreeMarker's value
	since  int64  // CLOCK_BOOTTIME before it was started, ns
	cell   *cell  // nil: a plain process
	// known are those outside of its session that were seen in it when it was told to
	// end, and sessions theirs, with the time at which they were seen: when their parents
	// end, they may become orphans by which nothing else can be seen. With guard.mu.
	known    map[procID]bool
	sessions map[int]uint64

	over atomic.Bool // its process has ended: what is left of it is to be killed
}

// sight remembers what was found in t, before any of it is signalled.
func (t *tree) sight(found []procStat) {
	now := uint64(clock(unix.CLOCK_BOOTTIME) / tick)
	for _, st := range found {
		if st.session == t.pid {
			continue
		}
		if t.known == nil {
			t.known, t.sessions = make(map[procID]bool), make(map[int]uint64)
		}
		t.known[st.id()] = true
		t.sessions[st.session] = now
	}
}

// saw reports whether st was in t, or was started in one of its sessions while that was
// looked at: later, its number may be that of another.
func (t *tree) saw(st procStat) bool {
	at, ok := t.sessions[st.session]
	return t.known[st.id()] || ok && st.start <= at+1
}

// ticks of procStat.start.
const tick = int64(10 * time.Millisecond)

// orphans lists the children of the main thread, reaping those that are dead. The
// children of one that was alive when it was listed, and dead when it was reaped, have
// come to this thread in between: so it lists again, until it has reaped none. sure is
// false if it had to give that up.
// g.mu is held, by everybody who reaps orphans: so the ids stay theirs while it
// is.
func (g *guard) orphans() (living []int, sure bool) {
	for range maxListings {
		sure = true
		living = slices.DeleteFunc(childrenOfThread(nil, g.pid, g.pid), func(pid int) bool {
			if _, lane := g.trees[pid]; lane {
				return true // listed only by kernels that do not tell threads apart
			}
			dead := reaped(pid)
			sure = sure && !dead
			return dead
		})
		if sure {
			break
		}
	}
	return living, sure
}

// maxListings bounds how long processes that start others and end can keep orphans busy.
const maxListings = 10

// split tells the orphans that belong to t from those that may: see
// Status.Leaked. g.mu is held.
func (g *guard) split(t *tree) (own, unclear []int) {
	orphans, _ := g.orphans()
	for _, pid := range orphans {
		st, ok := readStat(pid)
		if !ok {
			continue
		}
		// Of trees that end at the same time each takes what may be the other's: neither
		// may leave it to the other.
		running := func(x *tree) bool { return x != t && !x.over.Load() }
		switch owners := g.owners(st); {
		case !slices.Contains(owners, t):
		case len(owners) == 1 || t.over.Load() && !slices.ContainsFunc(owners, running):
			own = append(own, pid)
		default:
			unclear = append(unclear, pid)
		}
	}
	return own, unclear
}

// owners names the tree of an orphan, or all that it may belong to.
func (g *guard) owners(st procStat) []*tree {
	if t := g.trees[st.session]; t != nil {
		return []*tree{t}
	}
	for _, t := range g.trees {
		if t.saw(st) {
			return []*tree{t}
		}
	}
	groups, read := "", false
	var may []*tree
	value, marked := markerOf(st.pid)
	for _, t := range g.trees {
		if t.cell != nil && t.cell.group != nil {
			if !read {
				groups, read = groupsOf(st.pid), true
			}
			if inGroups(groups, t.cell.group.Path()) {
				return []*tree{t}
			}
		}
		if marked && inTree(value, t.marker) {
			return []*tree{t}
		}
		if groups != "" && t.cell != nil && t.cell.group != nil {
			continue // nobody leaves a group by accident
		}
		if t.since <= (int64(st.start)+1)*tick {
			may = append(may, t)
		}
	}
	return may
}

// inGroups reports whether one of these groups, as /proc has them, is the one with this
// path or, as a program may make some of its own, below it.
func inGroups(groups, path string) bool {
	return strings.Contains(groups, path+"\n") || strings.Contains(groups, path+"/")
}

// members collects the processes of t that are alive, parents first. g.mu is
// held.
func (g *guard) members(t *tree) []procStat {
	roots, _ := g.split(t)
	// Besides the process itself, the lane's thread may have children that
	// the process made its siblings (CLONE_PARENT).
	roots = append(append(roots, g.siblings(t)...), t.pid)
	return descend(stats(roots))
}

// siblings lists the children of the lane's thread that are no processes of their own:
// those, other than t's, are of trees that could not be ended.
func (g *guard) siblings(t *tree) []int {
	return slices.DeleteFunc(childrenOfThread(nil, g.pid, t.tid), func(pid int) bool {
		_, own := g.trees[pid]
		return own
	})
}

// stats reads what these processes are. They are children of the caller, which nobody
// reaps meanwhile: else an id could have become a stranger's.
func stats(pids []int) []procStat {
	found := make([]procStat, 0, len(pids))
	for _, pid := range pids {
		if st, ok := readStat(pid); ok {
			found = append(found, st)
		}
	}
	return found
}

// descend returns the processes among roots and below them that are alive.
func descend(roots []procStat) []procStat {
	var found []procStat
	seen := make(map[int]bool, len(roots))
	for queue := roots; len(queue) > 0; queue = queue[1:] {
		st := queue[0]
		if seen[st.pid] {
			continue
		}
		seen[st.pid] = true
		if !st.dead() {
			found = append(found, st)
		}
		now := uint64(clock(unix.CLOCK_BOOTTIME) / tick)
		for _, pid := range childrenOf(nil, st.pid) {
			// A child that has ended since may have been reaped by its parent, and its id
			// be that of a stranger, who is younger then. A young child that has lost its
			// parent since is found by the next look.
			if child, ok := readStat(pid); ok && (child.ppid == st.pid || child.start < now) {
				queue = append(queue, child)
			}
		}
	}
	return found
}

// killAll sends SIGKILL to whole groups first, which no fork can escape, then
// to each process. Groups of the caller's session are spared: a process of ours
// is never in one.
func killAll(found []procStat, session int) {
	var groups []int
	for _, st := range found {
		if st.session != session && !slices.Contains(groups, st.group) {
			groups = append(groups, st.group)
			killGroup(st)
		}
	}
	for _, st := range found {
		signalExact(st, unix.SIGKILL)
	}
}

// signal delivers sig to t, whose process the calling lane has not reaped.
func (g *guard) signal(t *tree, sig syscall.Signal, to scope) {
	stub := t.cell.init()
	if to == onlyProcess {
		if stub != nil && sig != unix.SIGKILL {
			stub.signal(sig)
		} else {
			unix.Kill(t.pid, sig)
		}
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if sig == unix.SIGKILL {
		// Seen first: as orphans they might be nobody's.
		found := g.members(t)
		if stub == nil && (t.cell == nil || t.cell.group == nil) {
			found = g.stop(t, found)
		}
		t.sight(found)
		t.cell.kill()
		unix.Kill(-t.pid, sig)
		unix.Kill(t.pid, sig)
		killAll(found, g.session)
		return
	}
	found := g.members(t)
	if stub != nil {
		// It is not of the program, and would not mind.
		found = slices.DeleteFunc(found, func(st procStat) bool { return st.pid == t.pid })
	}
	t.sight(found)
	for _, st := range found {
		signalExact(st, sig)
	}
	for _, st := range found {
		signalExact(st, unix.SIGCONT)
	}
}

// stop keeps the processes of t from starting others, which nobody would have seen when
// their parents are killed, and returns all that there are. g.mu is held.
func (g *guard) stop(t *tree, found []procStat) []procStat {
	for begun := time.Now(); time.Since(begun) < stopWait; {
		going := false
		for _, st := range found {
			if st.state != 'T' && !st.dead() {
				going = signalExact(st, unix.SIGSTOP) == nil || going
			}
		}
		if !going {
			break
		}
		found = g.members(t)
	}
	return found
}

// stopWait bounds that: one that is stuck in the kernel does not stop.
const stopWait = 20 * time.Millisecond

// empty kills what is left of t, whose process has ended but is not reaped, and
// returns once it is gone. left is what it had to leave, unclear what may not
// be t's.
func (g *guard) empty(t *tree) (left, unclear []int) {
	begun := time.Now()
	for deadline := begun.Add(killWait); ; {
		t.cell.kill()
		g.mu.Lock()
		left, unclear = g.split(t)
		for _, pid := range g.siblings(t) {
			if n, err := unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, nil); n == 0 && err == nil {
				left = append(left, pid)
			}
		}
		for _, pid := range t.cell.left(t.pid) {
			if !slices.Contains(left, pid) {
				left = append(left, pid)
			}
		}
		found := descend(stats(left))
		t.sight(found)
		killAll(found, g.session)
		early := time.Since(begun) < blankWait
		i := slices.IndexFunc(unclear, func(pid int) bool { return blank(pid) && (early || exiting(pid)) })
		var next ends
		switch {
		case time.Until(deadline) <= 0:
		case len(left) > 0:
			next = endsOf(left, lookAgain)
		case i >= 0:
			next = endsOf(unclear[i:i+1], blankWait/10)
		}
		g.mu.Unlock()
		if next.fds == nil {
			return left, unclear
		}
		next.await(deadline)
	}
}

// blankWait is how long an orphan without any environment may keep its owner a
// secret. One that is on its way out is waited for: on a busy machine that takes
// longer.
const blankWait = 50 * time.Millisecond

// blank reports whether a process has no environment. A moment later it may have
// one, or be gone: one that executes a program, or is about to end, has none.
func blank(pid int) bool {
	b, err := readProc("/proc/" + strconv.Itoa(pid) + "/environ")
	return (err != nil || len(b) == 0) && len(environOfThreads(pid)) == 0
}

func exiting(pid int) bool {
	st, ok := readStat(pid)
	return !ok || st.exiting
}
