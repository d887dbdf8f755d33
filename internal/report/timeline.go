package report

import (
	"slices"
	"time"
)

// Timeline keeps what each slot did when, in bounded memory: once there are too
// many bars, short ones that begin close to each other become one, which knows how
// many they were and how long the slot was busy.
type Timeline struct {
	limit  int           // bars
	cell   time.Duration // bars shorter than it that begin in the same one are merged
	bars   []Bar
	hidden int64 // attempts of slots that have no lane
}

// maxLanes bounds the slots that a timeline has.
const maxLanes = 64

// Bar is an attempt in a slot, or several, the first of which it names.
type Bar struct {
	Slot     int
	From, To time.Duration // since the beginning of the run
	Busy     time.Duration // the sum of the attempts
	N, NotOK int64
	Label    string
	Outcome  string // of the one that is not ok, if one is not
}

// NewTimeline makes a timeline of at most limit bars, one for each lane at least.
func NewTimeline(limit int) *Timeline { return &Timeline{limit: max(limit, 2*maxLanes)} }

// Add adds a bar. Slots count from 1; those above 64 are counted as hidden.
func (t *Timeline) Add(b Bar) {
	if b.Slot < 1 || b.Slot > maxLanes {
		t.hidden++
		return
	}
	b.From = max(b.From, 0)
	b.To = max(b.To, b.From)
	t.bars = append(t.bars, b)
	if len(t.bars) >= 2*t.limit {
		t.shrink()
	}
}

// Bars gives the bars by slot and beginning, at most as many as the limit says.
// The caller must not change them.
func (t *Timeline) Bars() []Bar {
	t.shrink()
	slices.SortFunc(t.bars, before)
	return t.bars
}

// Hidden counts the attempts of slots above 64.
func (t *Timeline) Hidden() int64 { return t.hidden }

func before(a, b Bar) int {
	if a.Slot != b.Slot {
		return a.Slot - b.Slot
	}
	switch {
	case a.From < b.From:
		return -1
	case a.From > b.From:
		return 1
	}
	return 0
}

// shrink merges bars until there are no more than the limit. The cell grows as far
// as that needs: to the length of the run at most, where a lane is one bar.
func (t *Timeline) shrink() {
	if len(t.bars) <= t.limit {
		return
	}
	slices.SortFunc(t.bars, before)
	var end time.Duration
	for i := range t.bars {
		end = max(end, t.bars[i].To)
	}
	if t.cell == 0 {
		t.cell = max(end/time.Duration(8*t.limit), 1)
	}
	for {
		t.merge()
		if len(t.bars) <= t.limit || t.cell > end {
			return
		}
		t.cell *= 2
	}
}

// merge makes one of neighbours that are shorter than a cell and begin in the same.
func (t *Timeline) merge() {
	out := t.bars[:1]
	for _, b := range t.bars[1:] {
		last := &out[len(out)-1]
		if last.Slot != b.Slot || last.From/t.cell != b.From/t.cell || last.To-last.From > t.cell || b.To-b.From > t.cell {
			out = append(out, b)
			continue
		}
		if last.NotOK == 0 && b.NotOK > 0 {
			last.Label, last.Outcome = b.Label, b.Outcome
		}
		last.To = max(last.To, b.To)
		last.Busy += b.Busy
		last.N += b.N
		last.NotOK += b.NotOK
	}
	clear(t.bars[len(out):])
	t.bars = out
}
