package terminal

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// count is n with commas: 1,234,567.
func count(n int) string {
	s := strconv.Itoa(max(n, 0))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// pace is a rate in three digits: 412/s, 3.4/s, 12/min.
func pace(rate float64) string {
	switch {
	case rate >= 9.95:
		return count(int(math.Round(rate))) + "/s"
	case rate >= 0.95:
		return strconv.FormatFloat(rate, 'f', 1, 64) + "/s"
	case rate*60 >= 0.95:
		return strconv.FormatFloat(rate*60, 'f', 0, 64) + "/min"
	}
	return strconv.FormatFloat(rate*3600, 'f', 0, 64) + "/h"
}

// span is a duration to the second: 20s, 3m05s, 1h02m.
func span(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// age is a duration that is seen to go on: 12.3s, 3m05s.
func age(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", max(d, 0).Truncate(100*time.Millisecond).Seconds())
	}
	return span(d)
}

// guess is a duration as exact as a prophecy is: 9s, 3m, 1h10m.
func guess(d time.Duration) string {
	switch {
	case d < 20*time.Second:
		return fmt.Sprintf("%ds", max(1, int(d.Round(time.Second)/time.Second)))
	case d < 57500*time.Millisecond:
		return fmt.Sprintf("%ds", d.Round(5*time.Second)/time.Second)
	case d < 59*time.Minute+30*time.Second:
		return fmt.Sprintf("%dm", max(d.Round(time.Minute)/time.Minute, 1))
	case d < 48*time.Hour:
		d = d.Round(10 * time.Minute)
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	d = d.Round(time.Hour)
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
