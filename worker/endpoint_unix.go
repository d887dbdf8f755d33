//go:build unix

package worker

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/ipc"
)

// openLink wraps the descriptors that boot has set aside.
func openLink() (endpoint, error) {
	var e endpoint
	for _, fd := range []int{boot.In, boot.Out} {
		// Its file description is this process's alone: a pipe has one at each end.
		if err := syscall.SetNonblock(fd, true); err != nil {
			return e, fmt.Errorf("link on descriptor %d: %w", fd, err)
		}
	}
	e.in, e.out = ipc.Quiet(os.NewFile(uintptr(boot.In), "link in")), os.NewFile(uintptr(boot.Out), "link out")
	e.offsets = newOutputOffsets(1, 2)
	if boot.Page < 0 {
		return e, nil
	}
	mem, err := syscall.Mmap(boot.Page, 0, ipc.PageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return e, fmt.Errorf("map the shared page: %w", err)
	}
	syscall.Close(boot.Page)
	if e.page, err = ipc.OpenPage(mem); err != nil {
		return e, fmt.Errorf("descriptor %d: %w", boot.Page, err)
	}
	return e, nil
}

// brokenPipe reports that the other end of the link was closed.
func brokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
