package worker

import "syscall"

// tryWrite leaves everything to the writer: an anonymous pipe of Windows has no
// write that does not block.
func tryWrite(syscall.RawConn, []byte) (int, error) { return 0, nil }
