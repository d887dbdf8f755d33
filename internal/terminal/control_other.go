//go:build !unix || aix || solaris || illumos

package terminal

import "os"

// control has nothing to tell where there are no bars.
type control struct {
	resized, stopped, resumed chan os.Signal
}

func openControl() *control { return &control{} }

func (c *control) stop(<-chan struct{}) {}

func (c *control) close() {}
