package ipc

import (
	"io"
	"syscall"
	"time"
)

// Source is the end of a pipe that is read.
type Source interface {
	io.ReadCloser
	syscall.Conn
	SetReadDeadline(time.Time) error
}
