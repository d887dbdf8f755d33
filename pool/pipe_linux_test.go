package pool_test

import "golang.org/x/sys/unix"

// widenPipe gives a pipe the size that a link's pipes have where that is allowed.
func widenPipe(fd int) { unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, 1<<20) }
