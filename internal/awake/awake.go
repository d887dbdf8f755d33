// Package awake has timers that count only time in which this process could run:
// a deadline for somebody else must not pass while its judge was stopped, by a
// debugger, SIGSTOP or a suspended machine.
//
// The time is cut into ticks. One that comes late counts as a single tick, however
// late it is, so a stop costs at most one.
package awake

import (
	"sync"
	"time"
)

// longest is how much of a stop may be counted, least how short a tick may be.
const (
	longest = 250 * time.Millisecond
	least   = time.Millisecond
	cuts    = 8
)

// Timer is a call that is to be made.
type Timer struct {
	mu    sync.Mutex
	timer *time.Timer // nil once the call is made or was stopped
	tick  time.Duration
	left  time.Duration
	call  func()
}

// AfterFunc calls f on a goroutine of its own, once this process has had d to run
// in. A d of 0 or less is at once.
func AfterFunc(d time.Duration, f func()) *Timer {
	t := &Timer{tick: min(max(d/cuts, least), longest), left: d, call: f}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(min(t.tick, max(d, 0)), t.ticked)
	return t
}

func (t *Timer) ticked() {
	t.mu.Lock()
	if t.timer == nil {
		t.mu.Unlock()
		return
	}
	if t.left -= t.tick; t.left > 0 {
		t.timer.Reset(min(t.tick, t.left))
		t.mu.Unlock()
		return
	}
	t.timer = nil
	t.mu.Unlock()
	t.call()
}

// Stop keeps the call from being made. It reports false when it is made, or was
// stopped, already; it does not wait for it. Of a nil Timer it is nothing.
func (t *Timer) Stop() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer == nil {
		return false
	}
	t.timer.Stop()
	t.timer = nil
	return true
}
