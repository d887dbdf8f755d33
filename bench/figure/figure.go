// Package figure is what a subject of the benchmark says about itself: a line of
// JSON with its figures, in seconds, bytes and numbers per second.
package figure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

// Kind is what a figure is of.
type Kind string

// The kinds of figures.
const (
	P50  Kind = "p50"  // seconds that the median one took
	P99  Kind = "p99"  // seconds that all took but the slowest hundredth
	Wall Kind = "wall" // seconds that the whole took
	Rate Kind = "rate" // how many in a second
	RSS  Kind = "rss"  // resident bytes at the peak
	PSS  Kind = "pss"  // bytes, those shared with other processes divided among them
)

// More says that a larger figure is a better one.
func (k Kind) More() bool { return k == Rate }

// Set is the figures of one run.
type Set map[Kind]float64

// Write writes the set as a line.
func (s Set) Write(w io.Writer) error { return json.NewEncoder(w).Encode(s) }

// Parse reads the last line of what a subject has written.
func Parse(out []byte) (Set, error) {
	out = bytes.TrimSpace(out)
	last := out[bytes.LastIndexByte(out, '\n')+1:]
	var s Set
	if err := json.Unmarshal(last, &s); err != nil {
		return nil, fmt.Errorf("no figures in %.80q: %w", last, err)
	}
	for k, v := range s {
		if math.IsNaN(v) || v <= 0 {
			return nil, fmt.Errorf("%s is %v", k, v)
		}
	}
	return s, nil
}

// PerSecond is the rate, and the time, of n things.
func PerSecond(n int, took time.Duration) Set {
	return Set{Rate: float64(n) / took.Seconds(), Wall: took.Seconds()}
}

// Laps are durations of single things, of which a mean says little where other
// processes come in between.
type Laps []time.Duration

// Add appends the time since start.
func (l *Laps) Add(start time.Time) { *l = append(*l, time.Since(start)) }

// Set is the median and the 99th percentile. There has to be a lap.
func (l Laps) Set() Set {
	sorted := slices.Sorted(slices.Values(l))
	at := func(percent int) float64 { return sorted[min(len(sorted)*percent/100, len(sorted)-1)].Seconds() }
	return Set{P50: at(50), P99: at(99)}
}

// MeanPSS is the mean proportional set size of some processes, from
// /proc/PID/smaps_rollup.
func MeanPSS(pids []int) (Set, error) {
	sum := 0
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return nil, err
		}
		_, rest, _ := bytes.Cut(text, []byte("\nPss:"))
		field, _, found := bytes.Cut(rest, []byte(" kB"))
		kib, err := strconv.Atoi(string(bytes.TrimSpace(field)))
		if !found || err != nil {
			return nil, fmt.Errorf("/proc/%d/smaps_rollup has no line Pss", pid)
		}
		sum += kib << 10
	}
	return Set{PSS: float64(sum) / float64(len(pids))}, nil
}
