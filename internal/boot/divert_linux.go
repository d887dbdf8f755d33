package boot

import "syscall"

// firstPrivate keeps the link clear of the low numbers that programs like to
// hard-code.
const firstPrivate = 10

func dupPrivate(fd int) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, firstPrivate)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

func dupOnto(from, to int) error { return syscall.Dup3(from, to, 0) }

// isOpen is needed because setting close-on-exec reports no error.
func isOpen(fd int) error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); errno != 0 {
		return errno
	}
	return nil
}

// hide makes this process one that nobody may trace, and whose memory and
// environment nobody may read, but for those with capabilities.
func hide() error {
	const setDumpable = 4 // PR_SET_DUMPABLE
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setDumpable, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
