package ipc

import (
	"errors"
	"fmt"
)

// ErrProtocol is what every violation of the protocol by the peer is: test with
// errors.Is. The link is of no use after it.
var ErrProtocol = errors.New("protocol violation")

// ErrTooLarge comes from encoding a message that is over a limit. Nothing was
// sent.
var ErrTooLarge = errors.New("message too large")

// ErrNoReady comes from a handshake whose peer ended, or wrote something else,
// before a valid ready frame.
var ErrNoReady = errors.New("no ready frame")

// ErrVersion comes from a handshake in which the two sides share no version.
var ErrVersion = errors.New("no common protocol version")

// ProtocolError says what the peer did, in which frame. It is an ErrProtocol.
type ProtocolError struct {
	Kind   Kind   // of the frame, 0 when that was not read
	Reason string // what is wrong with it
}

func (e *ProtocolError) Error() string {
	if e.Kind == 0 {
		return "protocol violation: " + e.Reason
	}
	return fmt.Sprintf("protocol violation in %s frame: %s", e.Kind, e.Reason)
}

// Is reports that a ProtocolError is an ErrProtocol.
func (e *ProtocolError) Is(target error) bool { return target == ErrProtocol }

func violation(k Kind, format string, args ...any) error {
	return &ProtocolError{Kind: k, Reason: fmt.Sprintf(format, args...)}
}

// reason is what is wrong with an element, without the words that every
// violation begins with.
func reason(err error) string {
	var p *ProtocolError
	if errors.As(err, &p) {
		return p.Reason
	}
	return err.Error()
}
