//go:build !linux

package ipc

import "os"

// Quiet returns the file as it is.
func Quiet(f *os.File) Source { return f }
