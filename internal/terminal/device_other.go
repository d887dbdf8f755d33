//go:build !unix || aix || solaris || illumos

package terminal

import "os"

// openDevice knows of no terminals here: the display is lines.
func openDevice(*os.File) (device, bool) { return nil, false }
