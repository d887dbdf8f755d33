package spawn

import "time"

// patience calls a function when it was not fed for a time.
type patience struct {
	timer *time.Timer
	after time.Duration
}

func newPatience(after time.Duration, f func()) *patience {
	return &patience{time.AfterFunc(after, f), after}
}

func (w *patience) feed() { w.timer.Reset(w.after) }
func (w *patience) stop() { w.timer.Stop() }
