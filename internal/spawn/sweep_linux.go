package spawn

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// sweep kills what a dead guardian left behind and returns when it is gone, or
// after killWait with the ids of what is not. sessions are those of the
// processes that had not ended.
func sweep(g *Guardian, sessions map[int]bool) (left []int) {
	find := func() []procStat { return marked(g.nonce, sessions) }
	if g.opts.Exclusive {
		find = func() []procStat { return stats(ownChildren()) }
	}
	session, err := unix.Getsid(0)
	if err != nil {
		session = 0
	}
	clean := 0
	for deadline := time.Now().Add(killWait); ; {
		found := find()
		if len(found) == 0 {
			// A process is overlooked by one scan of /proc if it starts
			// behind the scan's back, or is just executing a program. A
			// subreaper without children, however, has no descendants.
			if clean++; clean == 2 || g.opts.Exclusive {
				return nil
			}
			continue
		}
		clean = 0
		killAll(descend(found), session)
		if left = pidsOf(found); !awaitAny(left, deadline) {
			return left
		}
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
func marked(nonce string, sessions map[int]bool) (found []procStat) {
	pids, err := readDirNumbers("/proc")
	if err != nil {
		return nil
	}
	self := os.Getpid()
	for _, pid := range pids {
		st, ok := readStat(pid)
		if !ok || pid == self {
			continue
		}
		ours := sessions[st.session]
		if st.dead() {
			if ours && st.ppid == self {
				reaped(pid)
			}
			continue
		}
		if !ours {
			value, ok := markerOf(pid)
			ours = ok && ofGuardian(value, nonce)
		}
		if ours {
			found = append(found, st)
		}
	}
	return found
}
