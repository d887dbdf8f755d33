//go:build unix && !linux

package boot

import "syscall"

func dupPrivate(fd int) (int, error) {
	n, err := syscall.Dup(fd)
	if err != nil {
		return -1, err
	}
	syscall.CloseOnExec(n)
	return n, nil
}

func dupOnto(from, to int) error { return syscall.Dup2(from, to) }

func isOpen(fd int) error {
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st)
}

// hide is for sandboxes, which are Linux's.
func hide() error { return nil }
