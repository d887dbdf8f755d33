//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// listen returns the signals that end a run. Those that were ignored when the
// program started, as by nohup or for a background job of a plain shell, stay
// ignored. A broken pipe is an error of the write, not the end of the program.
func listen() (signals <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGTERM)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(sig) {
			signal.Notify(c, sig)
		}
	}
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	return c, func() { signal.Stop(c) }
}
