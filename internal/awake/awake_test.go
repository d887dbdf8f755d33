package awake

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAfterFunc_CallsOnceWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{-time.Second, 0, time.Microsecond, time.Millisecond, 7 * time.Millisecond, time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			calls := make(chan time.Duration, 2)
			AfterFunc(d, func() { calls <- time.Since(begin) })
			if at := <-calls; at != max(d, 0) {
				t.Errorf("%v: called after %v", d, at)
			}
			time.Sleep(time.Hour)
			if len(calls) != 0 {
				t.Errorf("%v: called twice", d)
			}
		})
	}
}

func TestStop_KeepsTheCallFromBeingMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		timer := AfterFunc(time.Second, func() { t.Error("called") })
		time.Sleep(990 * time.Millisecond)
		if !timer.Stop() || timer.Stop() {
			t.Error("Stop is true once, and the first time")
		}
		time.Sleep(time.Hour)
		late := AfterFunc(time.Second, func() {})
		time.Sleep(2 * time.Second)
		if late.Stop() || (*Timer)(nil).Stop() {
			t.Error("Stop is true of what cannot be stopped")
		}
	})
}

// A stop of the process is a tick that comes late.
func TestTick_ThatComesLateCountsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		called := make(chan time.Duration, 1)
		timer := AfterFunc(2*time.Second, func() { called <- time.Since(begin) })
		timer.timer.Stop() // as if the process did not run: the tick comes later
		time.Sleep(time.Minute)
		timer.ticked()
		if at := <-called; at != time.Minute+2*time.Second-longest {
			t.Errorf("called after %v", at)
		}
	})
}
