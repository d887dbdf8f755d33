package ipc

import "time"

// Limits of the protocol. Both sides hold to them; a peer that breaks one is
// not heard any further.
const (
	// Version is the only version of the protocol so far.
	Version = 1

	// MaxFrame is the largest frame body in bytes, whatever its kind.
	MaxFrame = 1 << 20

	// MaxInline is the largest payload in bytes that travels inside its own
	// job, result, call or reply frame. A longer one is announced by its size
	// and follows in data frames of at most MaxInline bytes each.
	MaxInline = 64 << 10

	// MaxMessage is the default cap on one payload in bytes, inline or in
	// chunks.
	MaxMessage = 64 << 20

	// MaxControlDepth and MaxControlElements bound the msgpack of an envelope,
	// MaxPayloadDepth that of a payload.
	MaxControlDepth    = 32
	MaxControlElements = 1 << 20
	MaxPayloadDepth    = 100

	// MaxName bounds a task's name, a job's label and key, and the name of a
	// call's operation, in bytes.
	MaxName = 4 << 10

	// DefaultCredit is how many payload bytes one side may send before the
	// other has granted more.
	DefaultCredit = 8 << 20

	// MaxWindow is the most jobs that may wait for their answers on one link.
	MaxWindow = 1 << 16

	// MaxItems is the most arguments that one job may have.
	MaxItems = 1 << 16

	// NonceSize is the length in bytes of the nonce in hello and ready.
	NonceSize = 16

	// frameGrace and frameGracePerMiB bound the time from the first byte of a
	// frame to its last.
	frameGrace       = 30 * time.Second
	frameGracePerMiB = time.Second
)
