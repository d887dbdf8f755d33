package spawn

import (
	"sync"

	"golang.org/x/sys/unix"
)

// reserve keeps descriptors back for looking at processes and killing them: who has none
// left to do it with would find nothing, and take that for the truth.
var reserve struct {
	sync.Mutex
	users int   // who need one
	null  int   // the null device, of which the others are copies
	free  []int // not lent
}

// reserved is how many there are: two are needed at a time, by several threads.
const reserved = 8

// keepReserve fills the reserve; each call is followed by one of dropReserve.
func keepReserve() error {
	reserve.Lock()
	defer reserve.Unlock()
	if reserve.users == 0 {
		null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		reserve.null = null
		for len(reserve.free) < reserved {
			fd, err := unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				emptyReserve()
				return err
			}
			reserve.free = append(reserve.free, fd)
		}
	}
	reserve.users++
	return nil
}

func dropReserve() {
	reserve.Lock()
	defer reserve.Unlock()
	if reserve.users--; reserve.users == 0 {
		emptyReserve()
	}
}

// emptyReserve is called with the lock held.
func emptyReserve() {
	closeAll(append(reserve.free, reserve.null))
	reserve.free = nil
}

// openSurely calls open, and lets it have a descriptor of the reserve if there is no
// other. What it returns is given back with giveBack.
func openSurely(open func() (int, error)) (int, error) {
	fd, err := retry(open)
	if err != unix.EMFILE && err != unix.ENFILE {
		return fd, err
	}
	reserve.Lock()
	defer reserve.Unlock()
	for n := len(reserve.free); n > 0 && (err == unix.EMFILE || err == unix.ENFILE); n-- {
		rawClose(reserve.free[n-1]) // which somebody else may be quicker to use
		reserve.free = reserve.free[:n-1]
		fd, err = retry(open)
	}
	return fd, err
}

// giveBack closes a descriptor, or fills the reserve with it.
func giveBack(fd int) {
	reserve.Lock()
	defer reserve.Unlock()
	if reserve.users > 0 && len(reserve.free) < reserved && unix.Dup3(reserve.null, fd, unix.O_CLOEXEC) == nil {
		reserve.free = append(reserve.free, fd)
		return
	}
	rawClose(fd)
}
