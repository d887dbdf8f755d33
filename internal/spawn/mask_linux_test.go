package spawn

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// lockAndBlockSignals makes whatever this goroutine forks inherit a full mask.
func lockAndBlockSignals() {
	runtime.LockOSThread()
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	must(unix.PthreadSigmask(unix.SIG_BLOCK, &all, nil))
}
