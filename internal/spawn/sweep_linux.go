package spawn

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/cgroup"
)

// sweep kills what a dead guardian left behind and returns when it is gone, or
// after killWait with the ids of what is not. sessions are those of the
// processes that had not ended.
func sweep(g *Guardian, sessions map[int]bool) (left []int) {
	cgroup.Kill(g.nonce)
	defer func() {
		if err := cgroup.Remove(g.nonce, killWait); err != nil {
			g.opts.log("control groups of a lost guardian are left", "error", err)
		}
	}()
	find := func() []int { return marked(g.nonce, sessions) }
	if g.opts.Exclusive {
		find = ownChildren
	}
	session, err := unix.Getsid(0)
	if err != nil {
		session = 0
	}
	clean := 0
	for deadline := time.Now().Add(killWait); ; {
		left = find()
		if len(left) == 0 {
			// A process is overlooked by one scan of /proc if it starts
			// behind the scan's back, or is just executing a program. A
			// subreaper without children, however, has no descendants.
			if clean++; clean == 2 || g.opts.Exclusive {
				return nil
			}
			continue
		}
		clean = 0
		killAll(descend(left), session)
		next := endOf(left[0])
		wait := time.Until(deadline)
		if wait <= 0 {
			next.close()
			return left
		}
		next.await(wait)
	}
}

// ownChildren lists the children of this process that live, but for guardians,
// and reaps those that do not.
func ownChildren() []int {
	guardians.Lock()
	defer guardians.Unlock()
	return slices.DeleteFunc(childrenOf(nil, os.Getpid()), func(pid int) bool {
		return guardians.pids[pid] || reaped(pid)
	})
}

func reaped(pid int) bool {
	n, err := unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, nil)
	return n == pid || err == unix.ECHILD
}

// marked lists the living processes that carry the marker of the guardian with
// this nonce, or belong to one of the sessions, and reaps those that died and
// came to this process.
func marked(nonce string, sessions map[int]bool) []int {
	pids, err := readDirNumbers("/proc")
	if err != nil {
		return nil
	}
	self := os.Getpid()
	return slices.DeleteFunc(pids, func(pid int) bool {
		st, ok := readStat(pid)
		if !ok || pid == self {
			return true
		}
		ours := sessions[st.session]
		if st.dead() {
			if ours && st.ppid == self {
				reaped(pid)
			}
			return true
		}
		if !ours {
			value, ok := markerOf(pid)
			ours = ok && ofGuardian(value, nonce)
		}
		return !ours
	})
}
