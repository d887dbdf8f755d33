package spawn

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/cgroup"
)

// maxRelics bounds how many records one sweep takes on. The rest waits for the next.
const maxRelics = 64

// relic is a record whose program and guardian are dead. It is locked here, so that
// nobody else sweeps for it.
type relic struct {
	name string
	file int
	memo []byte // what it holds
}

// relics takes over the records in the folder that nobody has locked. Entries that
// cannot be records of this user are left alone, whatever they are.
func (r *record) relics() []relic {
	dir, err := os.Open(r.path)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(16 * maxRelics)
	own := os.Getenv(TreeMarker)
	var found []relic
	for _, name := range names {
		switch {
		case name == r.name || !isNonce(name):
			continue
		case ofGuardian(own, name):
			continue // its program has started this one, which then would have to die too
		case len(found) == maxRelics:
			return found
		}
		var st unix.Stat_t
		if err := unix.Fstatat(r.folder, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || int(st.Uid) != os.Geteuid() {
			continue
		}
		fd, err := retry(func() (int, error) {
			return unix.Openat(r.folder, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		})
		if err != nil {
			continue
		}
		if tryLock(fd) != nil || !isEntry(r.folder, name, fd) {
			unix.Close(fd) // it is in use, or somebody else has just dealt with it
			continue
		}
		memo := make([]byte, maxRecord)
		n, err := retry(func() (int, error) { return unix.Pread(fd, memo, 0) })
		if err != nil {
			n = 0
		}
		found = append(found, relic{name, fd, memo[:n]})
	}
	return found
}

// bury ends what dead programs and their guardians have left behind. Without such it
// takes the time to list a folder; else as long as the processes need to die, which
// are milliseconds, and killWait at most. What it could not end keeps its record.
func (r *record) bury(log func(msg string, kv ...any)) {
	dead := r.relics()
	if len(dead) == 0 {
		return
	}
	names := make([]string, len(dead))
	for i := range dead {
		names[i] = dead[i].name
	}
	deadline := time.Now().Add(killWait)
	killed, left, err := killMarked(names, deadline)
	groups := 0
	for _, d := range dead {
		n, more := cgroup.Bury(d.name, d.memo, deadline)
		groups += n
		left = append(left, more...)
	}
	slices.Sort(left)
	left = slices.Compact(left)
	for _, d := range dead {
		if len(left) == 0 && err == nil {
			unix.Unlinkat(r.folder, d.name, 0)
		}
		unix.Close(d.file)
	}
	switch {
	case err != nil:
		log("processes of a program that was killed cannot be looked for", "error", err)
	case len(left) > 0:
		log("processes of a program that was killed are still there", "pids", left, "killed", killed)
	case killed > 0 || groups > 0:
		log("killed what a program had left that was killed itself", "processes", killed, "cgroups", groups)
	}
}

// killMarked kills the processes that carry a marker with one of the nonces, and all
// that descend from them, until there are none. They may belong to other users, as
// those do that a program of root has started as such.
func killMarked(nonces []string, deadline time.Time) (killed int, left []int, err error) {
	session, err := unix.Getsid(0)
	if err != nil {
		session = 0
	}
	seen := make(map[procID]bool)
	for clean := 0; ; {
		pids, err := readDirNumbers("/proc")
		if err != nil {
			return len(seen), nil, err
		}
		var found []procStat
		for _, pid := range pids {
			if st, ok := markedExact(pid, nonces); ok {
				found = append(found, st)
			}
		}
		if len(found) == 0 {
			// One scan overlooks what starts behind its back, and what is just
			// executing a program.
			if clean++; clean == 2 {
				return len(seen), nil, nil
			}
			continue
		}
		clean = 0
		all := descend(found)
		killAll(all, session)
		for _, st := range all {
			seen[st.id()] = true
		}
		if pids := pidsOf(found); !awaitAny(pids, deadline) {
			return len(seen) - len(all), pids, nil
		}
	}
}

// markedExact reads what a process is, and whether it carries one of the nonces. Both
// are of the same process: its id was not given away in between.
func markedExact(pid int, nonces []string) (st procStat, ok bool) {
	if pid == os.Getpid() || !markedBy(pid, nonces) {
		return st, false
	}
	fd, err := openSurely(func() (int, error) { return unix.PidfdOpen(pid, 0) })
	if err != nil {
		return st, false
	}
	defer giveBack(fd)
	st, ok = readStat(pid)
	ok = ok && !st.dead() && markedBy(pid, nonces)
	return st, ok && unix.PidfdSendSignal(fd, 0, nil, 0) != unix.ESRCH
}

func pidsOf(found []procStat) []int {
	pids := make([]int, len(found))
	for i, st := range found {
		pids[i] = st.pid
	}
	return pids
}

func markedBy(pid int, nonces []string) bool {
	value, ok := markerOf(pid)
	return ok && slices.ContainsFunc(nonces, func(nonce string) bool { return ofGuardian(value, nonce) })
}
