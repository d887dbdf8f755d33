package ipc

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errInterrupted is what a blocked read or write ends with when a context does.
// It is never kept: the stream is whole.
var errInterrupted = errors.New("interrupted")

// alarm is one deadline of a descriptor, which two parties share: frames, which
// must end in time, and the context of a call. Neither may undo what the other
// has set, or a cancelled call would block on.
type alarm struct {
	mu      sync.Mutex
	set     func(time.Time) error
	ringing bool // a context has ended; its call has not yet returned
}

// arm sets the deadline, unless a context has ended. It reports whether one is
// set.
func (a *alarm) arm(t time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ringing || a.set(t) == nil
}

func (a *alarm) rang() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ringing
}

// during makes the end of ctx wake what is blocked on the descriptor. The
// function that it returns ends that, and must be called; it reports whether the
// deadline was touched, and is now off.
func (a *alarm) during(ctx context.Context) (stop func() bool) {
	done := make(chan struct{})
	keep := context.AfterFunc(ctx, func() {
		a.mu.Lock()
		a.ringing = true
		_ = a.set(time.Unix(1, 0)) // fails only on a closed descriptor, which blocks nobody
		a.mu.Unlock()
		close(done)
	})
	return func() bool {
		if keep() {
			return false
		}
		<-done
		a.mu.Lock()
		a.ringing = false
		_ = a.set(time.Time{})
		a.mu.Unlock()
		return true
	}
}
