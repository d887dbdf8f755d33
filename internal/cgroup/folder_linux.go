package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// processes lists the living processes of one group. Those of which this process's
// pid namespace knows nothing have no id, and are left out.
func processes(dir string) (pids []int) {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil
	}
	return parsePIDs(b)
}

func parsePIDs(b []byte) (pids []int) {
	for f := range bytes.FieldsSeq(b) {
		if n, err := strconv.Atoi(string(f)); err == nil && n > 0 {
			pids = append(pids, n)
		}
	}
	return pids
}

// killFolder kills all processes of a group and of those below it.
func killFolder(dir string) {
	if write(filepath.Join(dir, "cgroup.kill"), "1") == nil {
		return
	}
	// Version 1, or Linux before 5.14. With no room for another, no fork can run away
	// from this, and what is frozen would not die.
	_ = eachFolder(dir, func(dir string) {
		_ = write(filepath.Join(dir, "pids.max"), "0")
		_ = write(filepath.Join(dir, "freezer.state"), "THAWED")
	})
	for range killRounds {
		found := false
		_ = eachFolder(dir, func(dir string) { found = killProcesses(dir) || found })
		if !found {
			return
		}
		runtime.Gosched()
	}
}

// killProcesses kills the processes of one group, and reports whether there were any.
func killProcesses(dir string) (found bool) {
	for pids := range slices.Chunk(processes(dir), killAtOnce) {
		fds := make([]int, len(pids))
		for i, pid := range pids {
			var err error
			if fds[i], err = unix.PidfdOpen(pid, 0); err != nil {
				fds[i] = -1
			}
		}
		// Who is listed now is the one whose descriptor was opened, or that one is dead:
		// an id alone could be a stranger's.
		now := processes(dir)
		for i, pid := range pids {
			if pid != os.Getpid() && slices.Contains(now, pid) { // else a thread that could not leave
				if fds[i] < 0 { // no descriptors, or Linux before 5.3
					found = unix.Kill(pid, unix.SIGKILL) == nil || found
				} else {
					found = unix.PidfdSendSignal(fds[i], unix.SIGKILL, nil, 0) == nil || found
				}
			}
			if fds[i] >= 0 {
				unix.Close(fds[i])
			}
		}
	}
	return found
}

// killAtOnce bounds the descriptors that are open for that.
const killAtOnce = 16

// killRounds bounds the hunt for processes that fork as fast as they are killed.
const killRounds = 50

// eachFolder calls f with the groups of dir, the innermost first.
func eachFolder(dir string, f func(dir string)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := eachFolder(filepath.Join(dir, e.Name()), f); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	f(dir)
	return nil
}

// removeFolder removes a group and those below it. A process that was killed is
// listed until it is gone, and no event of version 1 tells of that: so it is tried
// again, at growing distances, until wait is over.
func removeFolder(dir string, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		var failed error
		// The files of a group go with it, and cannot be removed.
		err := eachFolder(dir, func(dir string) {
			// One that is on its way out is no device any more.
			if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT && err != unix.ENODEV {
				failed = err
			}
		})
		if err == nil {
			err = failed
		}
		if err == nil || errors.Is(err, unix.ENODEV) {
			if _, err = os.Lstat(dir); err == nil {
				err = unix.EBUSY
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !busy(err) || time.Now().After(deadline) {
			return fmt.Errorf("remove control group %s: %w", dir, err)
		}
		time.Sleep(pause)
	}
}

// busy reports whether a group could not be removed for what is still in it.
func busy(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) }

// pread is read without telling the runtime, since the kernel answers at once: the
// watchdog does it often. It returns -1 if that failed.
func pread(fd int, b []byte) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	runtime.KeepAlive(b)
	if errno != 0 {
		return -1
	}
	return int(n)
}

// cloneArgs is struct clone_args of the kernel.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// cloneInto reports whether this kernel, and what filters system calls here, let a
// process be started in a group. It asks for one in a folder that is no group, which
// fails with EBADF where it would work otherwise.
var cloneInto = sync.OnceValue(func() bool {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	args := &cloneArgs{flags: unix.CLONE_INTO_CGROUP, exitSignal: uint64(unix.SIGCHLD), cgroup: uint64(fd)}
	_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), 0)
	return errno == unix.EBADF
})
