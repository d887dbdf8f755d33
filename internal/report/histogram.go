package report

import (
	"math"
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are a sixteenth of a power of two
// wide, so that a quantile is right within some three per cent, in 6 KB however
// many there are. The zero Histogram is empty.
type Histogram struct {
	buckets  [1 + (maxOctave-minOctave)*perOctave]int64
	n        int64
	min, max time.Duration
}

const (
	minOctave = 10 // all below 2¹⁰ ns, a microsecond, are one bucket
	maxOctave = 54 // and all from 2⁵⁴ ns, some 200 days, are in the last
	perOctave = 16
)

// Add counts a duration; one below 0 counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	if h.n == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.n++
	h.buckets[bucketOf(d)]++
}

// Len gives how many durations there are.
func (h *Histogram) Len() int64 { return h.n }

// Min and Max give the shortest and the longest duration, 0 when empty.
func (h *Histogram) Min() time.Duration { return h.min }
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile gives a duration that a share q of all, from 0 to 1, does not exceed,
// within half a bucket; 0 when empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := min(max(int64(math.Ceil(q*float64(h.n))), 1), h.n)
	for i, n := range h.buckets {
		if rank > n {
			rank -= n
			continue
		}
		from, to := edge(i), edge(i+1)
		within := (float64(rank) - 0.5) / float64(n)
		return min(max(from+time.Duration(within*float64(to-from)), h.min), h.max)
	}
	return h.max
}

// Range is a part of a histogram: durations from From on and below To.
type Range struct {
	From, To time.Duration
	N        int64
}

// Ranges divides the histogram from its shortest to its longest duration into no
// more than limit parts, those in between that are empty among them.
func (h *Histogram) Ranges(limit int) []Range {
	if h.n == 0 {
		return nil
	}
	first, last := bucketOf(h.min), bucketOf(h.max)
	step := 1
	for last/step-first/step+1 > limit {
		step *= 2
	}
	out := make([]Range, 0, limit)
	for i := first / step; i <= last/step; i++ {
		r := Range{From: edge(i * step), To: edge(min((i+1)*step, len(h.buckets)))}
		r.N = h.between(r)
		out = append(out, r)
	}
	return out
}

// between counts the durations in a range that Ranges of any histogram gave.
func (h *Histogram) between(r Range) (n int64) {
	for i := bucketOf(r.From); i < len(h.buckets) && edge(i) < r.To; i++ {
		n += h.buckets[i]
	}
	return n
}

func bucketOf(d time.Duration) int {
	octave := bits.Len64(uint64(d)) - 1
	switch {
	case octave < minOctave:
		return 0
	case octave >= maxOctave:
		return len(Histogram{}.buckets) - 1
	}
	part := int(d>>(octave-4)) & (perOctave - 1)
	return 1 + (octave-minOctave)*perOctave + part
}

// edge gives the shortest duration of a bucket.
func edge(bucket int) time.Duration {
	if bucket == 0 {
		return 0
	}
	octave, part := (bucket-1)/perOctave+minOctave, (bucket-1)%perOctave
	return time.Duration(perOctave+part) << (octave - 4)
}
