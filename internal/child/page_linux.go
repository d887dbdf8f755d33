package child

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// newPage makes the memory that a worker shares with its supervisor: a memfd
// that cannot be resized, so that no access to it can fault. What is not used of it
// takes no memory.
func newPage(size int) (*os.File, []byte, error) {
	fd, err := unix.MemfdCreate("multiproc-page", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, nil, fmt.Errorf("shared page: %w", err)
	}
	f := os.NewFile(uintptr(fd), "multiproc-page")
	if err = unix.Ftruncate(fd, int64(size)); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	var mem []byte
	if err == nil {
		mem, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("shared page: %w", err)
	}
	return f, mem, nil
}

func closePage(mem []byte) {
	if mem != nil {
		unix.Munmap(mem)
	}
}

// pipeSize is what a link's pipes are widened to where that is allowed.
const pipeSize = 1 << 20

// widen lets a pipe hold more, if it may: it only saves switches.
func widen(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
}

// selfPath is this program, also after its file was replaced. It is the guardian
// that resolves it.
func selfPath() (string, error) { return "/proc/" + strconv.Itoa(os.Getpid()) + "/exe", nil }
