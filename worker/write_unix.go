//go:build unix

package worker

import "syscall"

// tryWrite writes once, and takes no for an answer.
func tryWrite(raw syscall.RawConn, p []byte) (n int, err error) {
	cerr := raw.Write(func(fd uintptr) bool {
		n, err = syscall.Write(int(fd), p)
		return true
	})
	n = max(n, 0)
	switch {
	case cerr != nil:
		return 0, cerr
	case err == syscall.EAGAIN || err == syscall.EINTR:
		err = nil
	}
	return n, err
}
