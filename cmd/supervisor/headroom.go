package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What may be allocated between two collections, in bytes, however much is in use:
// enough to collect seldom when that is little, as it is in most runs, whatever
// their size. Beyond it the heap grows by half of what is in use.
const headroom = 20 << 20

// Bounds of the growth of the heap, in percent of what is in use.
const (
	minGrowth = 50
	maxGrowth = 400
)

// keepHeadroom has garbage collected when headroom is used up, in place of when the
// heap has doubled.
func keepHeadroom() {
	h := &collections{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, percent: maxGrowth}
	debug.SetGCPercent(h.percent)
	runtime.SetFinalizer(h, (*collections).next)
}

// collections is garbage all the time, so that it is told of each collection.
type collections struct {
	live    []metrics.Sample
	percent int
}

func (h *collections) next() {
	metrics.Read(h.live)
	if percent := growth(h.live[0].Value.Uint64()); percent != h.percent {
		h.percent = percent
		debug.SetGCPercent(percent)
	}
	runtime.SetFinalizer(h, (*collections).next)
}

// growth is the percentage for so many bytes in use, in steps, so that it seldom
// changes.
func growth(live uint64) int {
	percent := headroom * 100 / max(live, 1)
	return int(min(max(percent/10*10, minGrowth), maxGrowth))
}
