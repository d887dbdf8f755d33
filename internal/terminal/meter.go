package terminal

import (
	"slices"
	"sync"
	"time"
)

const (
	recents = 256 // durations that are remembered
	groups  = 8   // whose means Typical takes the median of
	seconds = 16  // of which completions are counted

	// A rate is believed once so many instances have ended within the seconds that
	// count, and the longest of the recent ones fits into these so many times.
	believed = 32
	rounds   = 2
)

// Meter foretells how long a run will go on, from the instances that ended last.
// It takes 2 KiB whatever their number, and does not allocate to observe. The zero Meter is ready to use, by any
// number of goroutines.
type Meter struct {
	mu     sync.Mutex
	recent [recents]time.Duration // a ring, by the count of those observed
	count  int

	// ended counts by the second, in a ring; second is the one that was last
	// written to, as the time since first.
	first, last time.Time
	second      int64
	ended       [seconds]int
}

// Observe tells of an instance that ended now and took wall. Those that did not run,
// because they were skipped or resumed, are not to be told of.
func (m *Meter) Observe(wall time.Duration) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == 0 {
		m.first = now
	}
	m.recent[m.count%recents] = max(wall, 0)
	m.count++
	m.last = now
	m.forget(now)
	m.ended[m.second%seconds]++
}

// forget clears the seconds in which nothing ended.
func (m *Meter) forget(now time.Time) {
	s := int64(now.Sub(m.first) / time.Second)
	for from := max(m.second+1, s-seconds+1); from <= s; from++ {
		m.ended[from%seconds] = 0
	}
	m.second = max(m.second, s)
}

// Median is the median of up to 256 recent durations, 0 before the first.
func (m *Meter) Median() time.Duration {
	m.mu.Lock()
	recent := slices.Clone(m.recent[:min(m.count, recents)])
	m.mu.Unlock()
	return median(recent)
}

// Rate is how many instances end in a second, over up to the last 16 of them. It
// is 0 until they have ended for one.
func (m *Meter) Rate() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	rate, _, _ := m.rate(time.Now())
	return rate
}

// rate is over span, in which so many ended.
func (m *Meter) rate(now time.Time) (rate float64, span time.Duration, ended int) {
	if m.count == 0 {
		return 0, 0, 0
	}
	m.forget(now)
	for _, n := range m.ended {
		ended += n
	}
	span = now.Sub(m.first)
	if full := time.Duration(m.second-seconds+1) * time.Second; full > 0 {
		span -= full
	} else {
		ended-- // the first one opened the span
	}
	if span < time.Second {
		return 0, span, ended
	}
	return float64(ended) / span.Seconds(), span, ended
}

// ETA foretells when the remaining instances will have ended, those that run
// included, if so many run at a time as now. It is 0, not known, before the first
// has ended, and when what was foretold is overdue.
//
// It is remaining × typical / slots. What is typical is the median of the means of
// eight groups of recent durations: as indifferent to a few outliers as the
// median of them all, and right where that is wrong, as when half of the
// instances take a second and half of them ten. As soon as so many end that their
// rate can be believed, 32 in 16 seconds and none that takes longer than half of
// these, it is remaining / rate instead: that has in it what they wait for outside
// of instances, which is most of it where they are tiny. Both look at the recent past alone: the start of the workers is
// forgotten, and instances that grow longer are followed. From either, the time
// since the last end is taken off.
func (m *Meter) ETA(remaining, slots int) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == 0 || remaining <= 0 {
		return 0
	}
	now := time.Now()
	typical := m.typical()
	// The last ones take their time, however many slots there are.
	slots = max(1, min(slots, remaining))
	left := time.Duration(float64(remaining) / float64(slots) * float64(typical))
	if rate, span, ended := m.rate(now); rate > 0 && ended >= believed && span >= rounds*m.longest() {
		left = max(time.Duration(float64(remaining)/rate*float64(time.Second)), typical)
	}
	return max(left-now.Sub(m.last), 0)
}

// longest is the longest of the recent durations.
func (m *Meter) longest() time.Duration { return slices.Max(m.recent[:min(m.count, recents)]) }

// typical is the median of the means of groups of recent durations, of these
// themselves while they are few.
func (m *Meter) typical() time.Duration {
	n := min(m.count, recents)
	size := n / groups
	if size < 2 {
		return median(slices.Clone(m.recent[:n]))
	}
	means := make([]time.Duration, groups)
	for i := range means {
		for j := range size {
			// The latest ones, where they do not make whole groups.
			means[i] += m.recent[(m.count-1-i*size-j)%recents] / time.Duration(size)
		}
	}
	return median(means)
}

// median sorts d.
func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	low, high := d[(len(d)-1)/2], d[len(d)/2]
	return low + (high-low)/2
}
