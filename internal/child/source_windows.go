package child

import (
	"io"
	"syscall"
)

// readNow is not reached: pipes have no deadlines here.
func readNow(syscall.Conn, []byte) (int, error) { return 0, io.EOF }
