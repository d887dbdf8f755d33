//go:build unix && !aix && !solaris && !illumos

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// What a terminal is taken for that does not know its size.
const (
	usualColumns = 80
	usualLines   = 24
)

// tty is a terminal.
type tty struct{ f *os.File }

// openDevice reports whether f is a terminal.
func openDevice(f *os.File) (device, bool) {
	d := tty{f}
	return d, d.control(func(fd int) error {
		_, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		return err
	}) == nil
}

// control asks by the descriptor, whose mode it leaves alone.
func (d tty) control(ask func(fd int) error) error {
	conn, err := d.f.SyscallConn()
	if err != nil {
		return err
	}
	var answer error
	err = conn.Control(func(fd uintptr) { answer = ask(int(fd)) })
	if err != nil {
		return err
	}
	return answer
}

func (d tty) size() (columns, lines int) {
	columns, lines = usualColumns, usualLines
	d.control(func(fd int) error {
		ws, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil && ws.Col > 0 && ws.Row > 0 {
			columns, lines = int(ws.Col), int(ws.Row)
		}
		return err
	})
	return columns, lines
}

// foreground is true of a terminal that has no groups of processes of ours, since
// nobody else may come to the foreground there.
func (d tty) foreground() bool {
	group := 0
	err := d.control(func(fd int) (err error) {
		group, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err
	})
	return err != nil || group == unix.Getpgrp()
}
