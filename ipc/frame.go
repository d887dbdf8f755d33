package ipc

import (
	"encoding/binary"
	"time"
)

// headerSize is the length in bytes of the length that stands before a body.
const headerSize = 4

// AppendFrame appends the frame of one body: its length, then itself. It does
// not check the length; Link does.
func AppendFrame(dst, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(body))), body...)
}

// frameDeadline is the time that a frame of n bytes has to arrive in, counted
// from its first byte.
func frameDeadline(n int) time.Duration {
	return frameGrace + time.Duration(n>>20+1)*frameGracePerMiB
}
