package spawn

import (
	"slices"
	"strconv"
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
}

// ticks of procStat.start.
const tick = int64(10 * time.Millisecond)

// orphans lists the children of the main thread, reaping those that are dead.
// g.mu is held, by everybody who reaps orphans: so the ids stay theirs while it
// is.
func (g *guard) orphans() []int {
	pids := childrenOfThread(nil, g.pid, g.pid)
	return slices.DeleteFunc(pids, func(pid int) bool {
		if _, lane := g.trees[pid]; lane {
			return true // listed only by kernels that do not tell threads apart
		}
		n, err := unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, nil)
		return n == pid || err == unix.ECHILD
	})
}

// split tells the orphans that belong to t from those that may: see
// Status.Leaked. g.mu is held.
func (g *guard) split(t *tree) (own, unclear []int) {
	for _, pid := range g.orphans() {
		st, ok := readStat(pid)
		if !ok {
			continue
		}
		switch owners := g.owners(st); {
		case !slices.Contains(owners, t):
		case len(owners) == 1:
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
	var may []*tree
	value, marked := markerOf(st.pid)
	for _, t := range g.trees {
		if marked && inTree(value, t.marker) {
			return []*tree{t}
		}
		if t.since <= (int64(st.start)+1)*tick {
			may = append(may, t)
		}
	}
	return may
}

// members collects the processes of t that are alive, parents first. g.mu is
// held.
func (g *guard) members(t *tree) []procStat {
	roots, _ := g.split(t)
	// Besides the process itself, the lane's thread may have children that
	// the process made its siblings (CLONE_PARENT).
	roots = append(roots, childrenOfThread(nil, g.pid, t.tid)...)
	if !slices.Contains(roots, t.pid) {
		roots = append(roots, t.pid)
	}
	return descend(roots)
}

// descend returns the processes among roots and below them that are alive.
func descend(roots []int) []procStat {
	var found []procStat
	seen := make(map[int]bool, len(roots))
	for queue := roots; len(queue) > 0; queue = queue[1:] {
		pid := queue[0]
		if seen[pid] {
			continue
		}
		seen[pid] = true
		if st, ok := readStat(pid); ok && !st.dead() {
			found = append(found, st)
		}
		// Also of the dead: a leader that has ended may have threads, and
		// these children.
		queue = childrenOf(queue, pid)
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
			unix.Kill(-st.group, unix.SIGKILL)
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
		unix.Kill(-t.pid, sig)
		unix.Kill(t.pid, sig)
		killAll(g.members(t), g.session)
		return
	}
	found := g.members(t)
	if stub != nil {
		// It is not of the program, and would not mind.
		found = slices.DeleteFunc(found, func(st procStat) bool { return st.pid == t.pid })
	}
	for _, st := range found {
		signalExact(st, sig)
	}
	for _, st := range found {
		signalExact(st, unix.SIGCONT)
	}
}

// empty kills what is left of t, whose process has ended but is not reaped, and
// returns once it is gone. left is what it had to leave, unclear what may not
// be t's.
func (g *guard) empty(t *tree) (left, unclear []int) {
	begun := time.Now()
	for deadline := begun.Add(killWait); ; {
		g.mu.Lock()
		left, unclear = g.split(t)
		for _, pid := range childrenOfThread(nil, g.pid, t.tid) {
			if pid == t.pid {
				continue
			}
			if n, err := unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, nil); n == 0 && err == nil {
				left = append(left, pid)
			}
		}
		killAll(descend(left), g.session)
		next, wait := end{-1}, time.Until(deadline)
		early := time.Since(begun) < blankWait
		i := slices.IndexFunc(unclear, func(pid int) bool { return blank(pid) && (early || exiting(pid)) })
		switch {
		case len(left) > 0:
			next = endOf(left[0])
		case i >= 0 && wait > 0:
			next, wait = endOf(unclear[i]), blankWait/10
		default:
			wait = 0
		}
		g.mu.Unlock()
		if wait <= 0 {
			next.close()
			return left, unclear
		}
		next.await(wait)
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
	return err != nil || len(b) == 0
}

func exiting(pid int) bool {
	st, ok := readStat(pid)
	return !ok || st.exiting
}
