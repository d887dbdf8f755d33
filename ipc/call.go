package ipc

import "context"

// Caller asks the supervisor for what it serves: the operations of PROTOCOL.md.
// A worker's link is one; contexts of its jobs have it under CallerKey. It may be
// used by many goroutines at once.
type Caller interface {
	// Call asks, and blocks until the reply. When ctx ends first the call is
	// withdrawn, and its reply still waited for: if it was granted before that,
	// the call has succeeded; else the error is the context's.
	Call(ctx context.Context, op string, payload []byte) ([]byte, error)

	// Post tells, and is not answered. It blocks only while the link takes no
	// more. It arrives before any call that begins after it has returned.
	Post(op string, payload []byte) error
}

// CallerKey is what a context answers with its Caller.
type CallerKey struct{}
