package main

import (
	"fmt"
	"math"

	"github.com/feac4032/multiproc/bench/figure"
)

type unit struct {
	size float64
	name string
}

var (
	times = []unit{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}
	rates = []unit{{1e6, "M/s"}, {1e3, "k/s"}, {1, "/s"}}
	sizes = []unit{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "B"}}
)

// quantity writes a figure with its unit and three digits.
func quantity(kind figure.Kind, v float64) string {
	units := times
	switch kind {
	case figure.Rate:
		units = rates
	case figure.RSS, figure.PSS:
		units = sizes
	}
	u := units[len(units)-1]
	for _, candidate := range units {
		if v >= 0.9995*candidate.size { // what would be rounded to 1000 of the next one
			u = candidate
			break
		}
	}
	return digits(v/u.size) + " " + u.name
}

// spread writes the two ends of a range.
func spread(kind figure.Kind, from, to float64) string {
	low, high := quantity(kind, from), quantity(kind, to)
	if low == high {
		return low
	}
	return low + " – " + high
}

// digits writes three of them.
func digits(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 99.95:
		return fmt.Sprint(math.Round(v))
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.01:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
