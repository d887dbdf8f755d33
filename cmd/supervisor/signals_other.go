//go:build !unix

package main

import (
	"os"
	"os/signal"
)

// listen returns the signals that end a run.
func listen() (signals <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 8)
	signal.Notify(c, os.Interrupt)
	return c, func() { signal.Stop(c) }
}
