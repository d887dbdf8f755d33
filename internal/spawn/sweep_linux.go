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
			// behind the scan's back, or is just executing a program; and by
			// one of the own threads, if it comes to one that was looked at,
			// from one that ends.
			if clean++; clean == 2 {
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
// and reaps those that do not. It is empty only if there were none to reap: the
// children of such a one come to this process when it dies, after the list was made.
func ownChildren() []int {
	guardians.Lock()
	defer guardians.Unlock()
	for {
		dead := false
		living := slices.DeleteFunc(childrenOf(nil, os.Getpid()), func(pid int) bool {
			if guardians.pids[pid] {
				return true
			}
			gone := reaped(pid)
			dead = dead || gone
			return gone
		})
		if len(living) > 0 || !dead {
			return living
		}
	}
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
