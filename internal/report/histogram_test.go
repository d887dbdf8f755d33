package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogram_QuantilesAreRightWithinAFewPerCent(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() time.Duration{
		"even":       func() time.Duration { return time.Duration(rng.Int64N(int64(time.Minute))) },
		"log":        func() time.Duration { return time.Duration(math.Exp(rng.Float64()*20) * 1e4) },
		"one value":  func() time.Duration { return 1234567 * time.Nanosecond },
		"two values": func() time.Duration { return time.Duration(1+999*rng.IntN(2)) * time.Millisecond },
	} {
		h := new(Histogram)
		all := make([]time.Duration, 10_001)
		for i := range all {
			all[i] = draw()
			h.Add(all[i])
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.25, 0.5, 0.95, 0.99, 1} {
			want := all[int(q*10_000)]
			got := h.Quantile(q)
			if off := math.Abs(float64(got)/float64(want) - 1); off > 0.05 && q > 0 {
				t.Errorf("%s: quantile %v is %v, want %v, off by %.1f%%", name, q, got, want, 100*off)
			}
		}
		if h.Min() != all[0] || h.Max() != all[10_000] || h.Len() != 10_001 {
			t.Errorf("%s: %v to %v, %d", name, h.Min(), h.Max(), h.Len())
		}
	}
}

func TestHistogram_BucketsHoldWhatTheirEdgesSay(t *testing.T) {
	t.Parallel()
	last := len(Histogram{}.buckets) - 1
	for i := range last {
		if from, to := edge(i), edge(i+1)-1; bucketOf(from) != i || bucketOf(to) != i {
			t.Fatalf("bucket %d is of %d to %d, but they are in %d and %d", i, from, to, bucketOf(from), bucketOf(to))
		}
	}
	if bucketOf(math.MaxInt64) != last || bucketOf(edge(last)) != last {
		t.Error("the longest durations are not in the last bucket")
	}
}

func TestHistogram_TakesAnyDuration(t *testing.T) {
	t.Parallel()
	h := new(Histogram)
	if h.Quantile(0.5) != 0 || h.Ranges(10) != nil {
		t.Error("an empty one has durations")
	}
	for _, d := range []time.Duration{-1, 0, 1, math.MaxInt64} {
		h.Add(d)
	}
	if h.Min() != 0 || h.Max() != math.MaxInt64 || h.Quantile(1) <= 0 {
		t.Errorf("%v to %v, the longest is %v", h.Min(), h.Max(), h.Quantile(1))
	}
}

func TestHistogram_RangesAreFewAndHoldAll(t *testing.T) {
	t.Parallel()
	h, some := new(Histogram), new(Histogram)
	for i := range 5000 {
		d := time.Duration(i*i) * time.Microsecond
		h.Add(d)
		if i%10 == 0 {
			some.Add(d)
		}
	}
	for _, limit := range []int{1, 7, 40, 1000} {
		ranges := h.Ranges(limit)
		var n, of int64
		for i, r := range ranges {
			n += r.N
			of += some.between(r)
			if i > 0 && ranges[i-1].To != r.From || r.To <= r.From {
				t.Errorf("limit %d: %v follows %v", limit, r, ranges[max(i-1, 0)])
			}
		}
		if len(ranges) > limit || n != h.Len() || of != some.Len() {
			t.Errorf("limit %d: %d ranges with %d and %d", limit, len(ranges), n, of)
		}
	}
}
