//go:build unix && !linux

package journal

import "os"

func unnamed(dir string) (*os.File, error) { return unnamedIn(dir) }
