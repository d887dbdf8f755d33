package spawn

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A blocking system call costs a Go program dearly when it ends within
// milliseconds, as most of the guardian's do: the runtime's monitor takes the
// thread's processor away and keeps waking up to look for more. So a lane
// first waits for a short time without telling the runtime. Only spinSlots
// lanes at once may, so that there is always a processor for the others, and
// the wait is short, so that a collection is not held up.
const (
	guardProcs = 4
	spinSlots  = guardProcs - 1
	spinFor    = 5e6 // ns
	briefFor   = 3e6 // ns
)

// waiter is a lane's poll set. It lives on the heap: the kernel holds its
// address while the goroutine's stack may move.
type waiter struct {
	fds     [2]unix.PollFd
	timeout unix.Timespec
	limit   time.Time // when wait returns all the same; zero: never
}

func newWaiter() *waiter {
	w := &waiter{}
	for i := range w.fds {
		w.fds[i] = unix.PollFd{Fd: -1, Events: unix.POLLIN}
	}
	return w
}

// wait returns once a descriptor of the set is ready, or limit is over; -1 entries never
// are.
func (w *waiter) wait(spinning *atomic.Int32) {
	if w.untold(spinning, spinFor) {
		return
	}
	for {
		var most *unix.Timespec
		if !w.limit.IsZero() {
			ts := unix.NsecToTimespec(int64(max(0, time.Until(w.limit))))
			most = &ts
		}
		n, err := unix.Ppoll(w.fds[:], most, nil)
		if err == nil && (n > 0 || most != nil) {
			return
		}
		if err != nil && err != unix.EINTR {
			return
		}
	}
}

// briefly is wait for 3 ms at most. It reports whether a descriptor is ready.
func (w *waiter) briefly(spinning *atomic.Int32) bool { return w.untold(spinning, briefFor) }

// untold waits without telling the runtime, if it may, for at most ns.
func (w *waiter) untold(spinning *atomic.Int32, ns int64) bool {
	defer spinning.Add(-1)
	if spinning.Add(1) > spinSlots {
		return false
	}
	w.timeout = unix.NsecToTimespec(ns)
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&w.fds[0])), uintptr(len(w.fds)),
		uintptr(unsafe.Pointer(&w.timeout)), 0, 0, 0)
	if errno == unix.EINTR {
		runtime.Gosched() // the runtime wants the thread
	}
	return errno == 0 && n > 0
}

// ready reports whether descriptor i of the set was found readable, or at its
// end, by the last wait.
func (w *waiter) ready(i int) bool {
	return w.fds[i].Fd >= 0 && w.fds[i].Revents != 0
}
