package main

import (
	"slices"
	"testing"
)

func TestSummarize_InterpolatesQuartiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		samples []float64
		want    Summary
	}{
		{nil, Summary{}},
		{[]float64{3}, Summary{N: 1, Median: 3, Q1: 3, Q3: 3}},
		{[]float64{4, 1}, Summary{N: 2, Median: 2.5, Q1: 1.75, Q3: 3.25}},
		{[]float64{5, 1, 4, 2, 3}, Summary{N: 5, Median: 3, Q1: 2, Q3: 4}},
		{[]float64{1, 1, 1, 100}, Summary{N: 4, Median: 1, Q1: 1, Q3: 25.75}},
	} {
		before := slices.Clone(c.samples)
		if got := summarize(c.samples); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.samples, got, c.want)
		}
		if !slices.Equal(before, c.samples) {
			t.Errorf("%v became %v: the order of the rounds is lost", before, c.samples)
		}
	}
}
