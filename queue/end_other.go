//go:build !unix

package queue

import (
	"os"
	"syscall"
)

// rawIO says that descriptors cannot be read and written without waiting.
const rawIO = false

func readFD(uintptr, []byte) (int, error)  { return 0, syscall.EAGAIN }
func writeFD(uintptr, []byte) (int, error) { return 0, syscall.EAGAIN }

func pollable(*os.File) *os.File { return nil }
