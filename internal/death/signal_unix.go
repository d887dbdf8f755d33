//go:build unix

package death

import "syscall"

// xfsz is the signal with which the kernel holds the limit of a file's size.
const xfsz = syscall.SIGXFSZ
