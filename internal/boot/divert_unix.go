//go:build unix

package boot

import "syscall"

// divert takes the link off descriptors 0 and 1. What is not offered becomes
// the null device, so that no print can ever reach the protocol.
func divert(out, page int) error {
	in, err := dupPrivate(0)
	if err != nil {
		return err
	}
	link, err := dupPrivate(1)
	if err != nil {
		return err
	}
	null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := dupOnto(null, 0); err != nil {
		return err
	}
	capture := null
	if out >= 0 {
		capture = out
	}
	if err := dupOnto(capture, 1); err != nil {
		return err
	}
	for _, fd := range []int{null, out} {
		if fd > 2 {
			if err := syscall.Close(fd); err != nil {
				return err
			}
		}
	}
	if page >= 0 {
		if err := isOpen(page); err != nil {
			return err
		}
		syscall.CloseOnExec(page)
	}
	In, Out, Page = in, link, page
	return nil
}

// adoptJail keeps a stub's socket from its program.
func adoptJail() error {
	if err := isOpen(Control); err != nil {
		return err
	}
	syscall.CloseOnExec(Control)
	return nil
}

// adoptGuard keeps the guardian's own descriptors from its children.
func adoptGuard() error {
	for _, fd := range []int{Control, Parent} {
		if err := isOpen(fd); err != nil {
			return err
		}
		syscall.CloseOnExec(fd)
	}
	return nil
}
