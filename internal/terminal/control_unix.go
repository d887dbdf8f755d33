//go:build unix && !aix && !solaris && !illumos

package terminal

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// control is what the user does to the terminal and to the program on it.
type control struct {
	resized, stopped, resumed chan os.Signal
}

func openControl() *control {
	c := &control{make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1)}
	signal.Notify(c.resized, unix.SIGWINCH)
	signal.Notify(c.resumed, unix.SIGCONT)
	// Ignored by a shell without job control, it stays so.
	if !signal.Ignored(unix.SIGTSTP) {
		signal.Notify(c.stopped, unix.SIGTSTP)
	}
	return c
}

// stop does what SIGTSTP would have done, and returns once it is over. Of a signal
// that was ever caught Go does not bring the default back, so it is done by a
// sibling: SIGTTIN stops as well, and as little a program that no shell could
// continue, which SIGSTOP would leave stopped for ever.
func (c *control) stop(done <-chan struct{}) {
	select {
	case <-c.resumed:
	default:
	}
	if unix.Kill(unix.Getpid(), unix.SIGTTIN) != nil {
		return
	}
	// It comes a moment later, or never.
	timer := time.NewTimer(200 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-c.resumed:
	case <-timer.C:
	case <-done:
	}
}

func (c *control) close() {
	signal.Stop(c.resized)
	signal.Stop(c.stopped)
	signal.Stop(c.resumed)
}
