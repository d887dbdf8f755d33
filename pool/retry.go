package pool

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// check finds fields that cannot be meant.
func (r *Retry) check() error {
	switch {
	case r.Max < 0:
		return fmt.Errorf("%d retries, want 0 or more", r.Max)
	case r.Backoff < 0 || r.MaxBackoff < 0 || r.Factor < 0 || r.Jitter < 0:
		return fmt.Errorf("a field is negative")
	}
	return nil
}

// again reports whether an attempt that ended so is followed by another.
func (r *Retry) again(res *Result) bool {
	if res.Attempt > r.Max {
		return false
	}
	if r.When != nil {
		return r.When(res)
	}
	return res.Outcome == Failed || res.Outcome == Crashed || res.Outcome == TimedOut
}

// after returns how long to wait before the attempt that follows this one.
func (r *Retry) after(attempt int) time.Duration {
	if r.NoBackoff {
		return 0
	}
	d, factor, limit := float64(r.Backoff), r.Factor, float64(r.MaxBackoff)
	if d <= 0 {
		d = float64(time.Second)
	}
	if factor < 1 {
		factor = 2
	}
	if limit <= 0 {
		limit = float64(5 * time.Minute)
	}
	for range attempt - 1 {
		if d *= factor; d >= limit {
			break
		}
	}
	d = min(d, limit)
	if r.Jitter > 0 {
		d *= 1 + min(r.Jitter, 1)*(2*rand.Float64()-1)
	}
	return time.Duration(d)
}
