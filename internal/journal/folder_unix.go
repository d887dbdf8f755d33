//go:build unix

package journal

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A pipe in the place of a file must not block who opens it.
const noFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK

// own says why a file is not this user's own.
func own(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if me := os.Geteuid(); int(st.Uid) != me {
		return fmt.Errorf("it belongs to user %d, and this is user %d: %w; name another one with -state", st.Uid, me, ErrForeign)
	}
	return nil
}

func syncNames(d *os.File) error { return d.Sync() }
