package spawn

import (
	"bytes"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// procStat is what the sweep needs of /proc/PID/stat. pid and start together
// name a process: an id is not used again within a tick of the clock.
type procStat struct {
	pid                  int
	state                byte
	ppid, group, session int
	start                uint64 // ticks of 10 ms since boot
	exiting              bool   // it is on its way out, and has no environment any more
	threads              int
}

// procID names a process for ever.
type procID struct {
	pid   int
	start uint64
}

func (st procStat) id() procID { return procID{st.pid, st.start} }

// exitingFlag is PF_EXITING of the kernel, in the field flags.
const exitingFlag = 0x4

func readStat(pid int) (procStat, bool) {
	b, err := readProc("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, false
	}
	st, ok := parseStat(b)
	return st, ok && st.pid == pid
}

// parseStat parses the one line of a stat file. The second field is the
// program's name in parentheses and may hold anything, also spaces and
// parentheses.
func parseStat(b []byte) (st procStat, ok bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return st, false
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(b[:open])))
	if err != nil {
		return st, false
	}
	// f[0] is field 3 of proc(5).
	f := bytes.Fields(b[end+1:])
	if len(f) < 20 || len(f[0]) != 1 || !isLetter(f[0][0]) {
		return st, false
	}
	st.pid, st.state = pid, f[0][0]
	for i, p := range []*int{&st.ppid, &st.group, &st.session} {
		if *p, err = strconv.Atoi(string(f[i+1])); err != nil {
			return st, false
		}
	}
	flags, err := strconv.ParseUint(string(f[6]), 10, 64)
	if err != nil {
		return st, false
	}
	st.exiting = flags&exitingFlag != 0
	if st.threads, err = strconv.Atoi(string(f[17])); err != nil {
		return st, false
	}
	st.start, err = strconv.ParseUint(string(f[19]), 10, 64)
	return st, err == nil
}

func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }

// dead reports whether nothing of the process runs any more. One whose first thread has
// ended looks like a zombie, and lives on in the others.
func (st procStat) dead() bool { return (st.state == 'Z' || st.state == 'X') && st.threads <= 1 }

// markerOf returns the value of TreeMarker in the environment with which pid
// was executed; ok is false if that cannot be read or holds none.
func markerOf(pid int) (value string, ok bool) {
	path := "/proc/" + strconv.Itoa(pid) + "/environ"
	// The environment reads as empty for an instant within execve.
	for range 3 {
		b, err := readProc(path)
		if err != nil && err != unix.ESRCH { // which newer kernels say instead
			return "", false
		}
		if len(b) > 0 {
			return findMarker(b)
		}
		if b := environOfThreads(pid); len(b) > 0 {
			return findMarker(b)
		}
		unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	return "", false
}

// environOfThreads reads the environment of a process whose first thread has ended, and
// has taken its view of it along.
func environOfThreads(pid int) []byte {
	if st, ok := readStat(pid); !ok || st.threads <= 1 {
		return nil
	}
	base := "/proc/" + strconv.Itoa(pid) + "/task/"
	tasks, _ := readDirNumbers(base)
	for _, tid := range tasks {
		if b, err := readProc(base + strconv.Itoa(tid) + "/environ"); err == nil && len(b) > 0 {
			return b
		}
	}
	return nil
}

func findMarker(environ []byte) (value string, ok bool) {
	for kv := range bytes.SplitSeq(environ, []byte{0}) {
		if isMarker(string(kv)) {
			return string(kv[len(TreeMarker)+1:]), true
		}
	}
	return "", false
}

// inTree reports whether a marker's value names the tree, on any level.
func inTree(value, tree string) bool {
	for v := range strings.SplitSeq(value, "/") {
		if v == tree {
			return true
		}
	}
	return false
}

// ofGuardian reports whether a marker's value names any tree of the guardian
// with this nonce.
func ofGuardian(value, nonce string) bool {
	for v := range strings.SplitSeq(value, "/") {
		if len(v) > len(nonce) && v[len(nonce)] == '.' && v[:len(nonce)] == nonce {
			return true
		}
	}
	return false
}

// groupsOf is the text that tells a process's control groups, "" if it cannot be
// read.
func groupsOf(pid int) string {
	b, err := readProc("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return ""
	}
	return string(b)
}

// childrenOf appends the children of all threads of pid. It is complete only
// for those that neither start nor end meanwhile; callers repeat it until
// nothing is left.
func childrenOf(dst []int, pid int) []int {
	base := "/proc/" + strconv.Itoa(pid) + "/task"
	tasks, err := readDirNumbers(base)
	if err != nil {
		return dst
	}
	for _, tid := range tasks {
		dst = childrenOfThread(dst, pid, tid)
	}
	return dst
}

func childrenOfThread(dst []int, pid, tid int) []int {
	b, err := readProc("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid) + "/children")
	switch err {
	case nil:
		return appendNumbers(dst, b)
	case syscall.ENOENT:
		// A kernel without CONFIG_PROC_CHILDREN does not tell threads apart:
		// give the main thread everything.
		if tid == pid && !procChildren() {
			return childrenByParent(dst, pid)
		}
	}
	return dst
}

// procChildren reports whether this kernel lists children.
func procChildren() bool {
	return unix.Access("/proc/thread-self/children", unix.R_OK) == nil
}

func childrenByParent(dst []int, parent int) []int {
	pids, err := readDirNumbers("/proc")
	if err != nil {
		return dst
	}
	for _, pid := range pids {
		if st, ok := readStat(pid); ok && st.ppid == parent {
			dst = append(dst, pid)
		}
	}
	return dst
}

func appendNumbers(dst []int, b []byte) []int {
	for f := range bytes.FieldsSeq(b) {
		if n, err := strconv.Atoi(string(f)); err == nil {
			dst = append(dst, n)
		}
	}
	return dst
}

// readDirNumbers lists the entries of dir whose names are numbers.
func readDirNumbers(dir string) ([]int, error) {
	fd, err := openSurely(func() (int, error) { return unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	defer giveBack(fd)
	var out []int
	b := make([]byte, 8<<10)
	for {
		n, err := retry(func() (int, error) { return unix.ReadDirent(fd, b) })
		if err != nil || n == 0 {
			return out, err
		}
		_, _, names := unix.ParseDirent(b[:n], -1, nil)
		for _, name := range names {
			if n, err := strconv.Atoi(name); err == nil {
				out = append(out, n)
			}
		}
	}
}

// readProc reads a file of /proc without the detour over the poller that
// os.ReadFile takes, and also when there are no descriptors left. The error is a bare
// errno.
func readProc(path string) ([]byte, error) {
	fd, err := openSurely(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	defer giveBack(fd)
	return readAll(fd)
}

func readAll(fd int) ([]byte, error) {
	b := make([]byte, 0, 4096)
	for {
		n, err := retry(func() (int, error) { return unix.Read(fd, b[len(b):cap(b)]) })
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return b, nil
		}
		b = b[:len(b)+n]
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

func retry(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); err != unix.EINTR {
			return n, err
		}
	}
}

// signalExact sends sig to the very process st was read from.
func signalExact(st procStat, sig syscall.Signal) error {
	fd, err := openSurely(func() (int, error) { return unix.PidfdOpen(st.pid, 0) })
	if err != nil {
		return err
	}
	defer giveBack(fd)
	if now, ok := readStat(st.pid); !ok || now.start != st.start {
		return unix.ESRCH
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// killGroup sends SIGKILL to the group of the very process st was read from.
//
// A pidfd of the group's leader, opened while the process is in the group, stands for
// this group and no other. Without a leader, and before Linux 6.9, the group has only a
// number, which is used right after the process was seen in it.
func killGroup(st procStat) {
	fd, none := openSurely(func() (int, error) { return unix.PidfdOpen(st.group, 0) })
	if none == nil {
		defer giveBack(fd)
	}
	now, ok := readStat(st.pid)
	if !ok || now.start != st.start || now.group != st.group {
		return // the next look tells where it is
	}
	if none == nil && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP) != unix.EINVAL {
		return
	}
	unix.Kill(-st.group, unix.SIGKILL)
}

// lookAgain is how long the end of one of several processes is waited for before the
// others are looked at again: what cannot be killed must not keep the rest alive.
const lookAgain = 100 * time.Millisecond

// ends is the event that one of some processes has ended.
type ends struct {
	fds    []unix.PollFd
	within time.Duration
}

// maxEnds is how many of the processes are watched at most.
const maxEnds = 64

// endsOf is called while the processes are known not to be reaped. The event is waited
// for as long as within says.
func endsOf(pids []int, within time.Duration) ends {
	e := ends{make([]unix.PollFd, 0, min(len(pids), maxEnds)), within}
	for _, pid := range pids[:cap(e.fds)] {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			// It has ended, or there is no descriptor to be had.
			e.within = min(e.within, time.Millisecond)
			break
		}
		e.fds = append(e.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	return e
}

// await closes e. It reports whether a process has ended.
func (e ends) await(deadline time.Time) bool {
	if event := time.Now().Add(e.within); event.Before(deadline) {
		deadline = event
	}
	// SIGCHLD, of which there are many here, interrupts a poll.
	n, err := retry(func() (int, error) {
		wait := max(0, time.Until(deadline))
		return unix.Poll(e.fds, int((wait+time.Millisecond-1)/time.Millisecond))
	})
	for _, fd := range e.fds {
		unix.Close(int(fd.Fd))
	}
	return err == nil && n > 0
}

// awaitAny is called for processes that others may reap. It reports false when the
// deadline is over.
func awaitAny(pids []int, deadline time.Time) bool {
	if time.Until(deadline) <= 0 {
		return false
	}
	endsOf(pids, lookAgain).await(deadline)
	return true
}

// clockNow reads CLOCK_MONOTONIC, which is the same in all processes.
func clockNow() int64 { return clock(unix.CLOCK_MONOTONIC) }

func clock(id int32) int64 {
	var ts unix.Timespec
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0
	}
	return ts.Nano()
}
