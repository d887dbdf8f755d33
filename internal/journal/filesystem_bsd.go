//go:build darwin || freebsd || dragonfly

package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// network names the network file system on which a folder lies, "" = none.
func network(root *os.Root) (string, error) {
	d, err := root.Open(".")
	if err != nil {
		return "", err
	}
	defer d.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.Fd()), &st); err != nil {
		return "", os.NewSyscallError("statfs", err)
	}
	if uint64(st.Flags)&unix.MNT_LOCAL != 0 {
		return "", nil
	}
	return unix.ByteSliceToString(st.Fstypename[:]), nil
}
