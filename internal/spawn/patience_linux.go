package spawn

import "time"

// watchdog calls a function when it was not fed for a time.
type watchdog struct {
	timer *time.Timer
	after time.Duration
}

func newWatchdog(after time.Duration, f func()) *watchdog {
	return &watchdog{time.AfterFunc(after, f), after}
}

func (w *watchdog) feed() { w.timer.Reset(w.after) }
func (w *watchdog) stop() { w.timer.Stop() }
