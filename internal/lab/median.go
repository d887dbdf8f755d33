package lab

import (
	"slices"
	"time"
)

// medianOf times f so many times, and gives the median.
func medianOf(n int, f func() error) (time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return took[n/2], nil
}

// micro gives a time in microseconds.
func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
