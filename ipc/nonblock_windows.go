package ipc

import "syscall"

// writeFD is never called: an anonymous pipe of Windows has no write that does
// not block, so everything goes through Flush.
func writeFD(uintptr, []byte) (int, error) { return 0, syscall.EAGAIN }

func nonblocking(syscall.RawConn) bool { return false }

// readNow is never called: no descriptor is known not to block.
func readNow(uintptr, []byte) int { return 0 }

// readParts and writeParts are never called, for the same reason.
func readParts(uintptr, ...[]byte) int { return 0 }

func writeParts(uintptr, [][]byte) (int, error) { return 0, syscall.EAGAIN }
