package remote

import (
	"sync/atomic"
	"time"
)

// habit is how soon a client calls again after it has released something. A release is
// written at once, so that who waits for it in another process waits for nothing else
// that this one does; but who calls again within microseconds sends both with one
// write, which is a fifth of what a lock costs that nobody else wants.
type habit struct {
	released atomic.Int64 // when the last release was, since epoch; 0 = there was a call since
	quick    atomic.Bool  // the last call that followed a release did so soon
}

// soon is how soon.
const soon = 20 * time.Microsecond

var epoch = time.Now()

// releases notes a release, and reports whether it is to be written now.
func (h *habit) releases() bool {
	h.released.Store(int64(time.Since(epoch)))
	return !h.quick.Load()
}

// calls notes a call.
func (h *habit) calls() {
	if at := h.released.Load(); at != 0 {
		h.released.Store(0)
		h.quick.Store(time.Since(epoch)-time.Duration(at) < soon)
	}
}
