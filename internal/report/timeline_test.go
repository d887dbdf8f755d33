package report

import (
	"fmt"
	"testing"
	"time"
)

// tally sums up bars.
func tally(bars []Bar) (n, notOK int64, busy time.Duration) {
	for _, b := range bars {
		n += b.N
		notOK += b.NotOK
		busy += b.Busy
	}
	return n, notOK, busy
}

func TestTimeline_KeepsFewBarsAsTheyAre(t *testing.T) {
	t.Parallel()
	tl := NewTimeline(1000)
	for i := range 1000 {
		tl.Add(Bar{Slot: 1 + i%4, From: time.Duration(i), To: time.Duration(i + 1), Busy: 1, N: 1, Label: fmt.Sprint("a#", i)})
	}
	bars := tl.Bars()
	if len(bars) != 1000 {
		t.Fatalf("%d bars", len(bars))
	}
	for i, b := range bars[1:] {
		if before(bars[i], b) > 0 {
			t.Errorf("%v stands before %v", bars[i], b)
		}
	}
}

func TestTimeline_MergesNeighboursAndLosesNothing(t *testing.T) {
	t.Parallel()
	const each = 10 * time.Millisecond
	for _, slots := range []int{1, 4, 64} {
		for _, n := range []int{2001, 4001, 200_000} {
			tl := NewTimeline(2000)
			for i := range n {
				from := time.Duration(i/slots) * each
				b := Bar{Slot: 1 + i%slots, From: from, To: from + each, Busy: each, N: 1, Label: "a", Outcome: "ok"}
				if i == n/2 {
					b.NotOK, b.Label, b.Outcome = 1, "bad", "failed"
				}
				tl.Add(b)
			}
			bars := tl.Bars()
			got, notOK, busy := tally(bars)
			if got != int64(n) || notOK != 1 || busy != time.Duration(n)*each {
				t.Errorf("%d slots, %d attempts: %d, %d not ok, busy %v", slots, n, got, notOK, busy)
			}
			if len(bars) > 2000 || len(bars) < min(n, 2000)/5 {
				t.Errorf("%d slots, %d attempts: %d bars", slots, n, len(bars))
			}
			if cap(tl.bars) > 10_000 {
				t.Errorf("room for %d bars", cap(tl.bars))
			}
			for _, b := range bars {
				if (b.NotOK > 0) != (b.Label == "bad" && b.Outcome == "failed") {
					t.Errorf("a bar names %s, %s, with %d not ok", b.Label, b.Outcome, b.NotOK)
				}
			}
		}
	}
}

func TestTimeline_KeepsALongAttemptAmongShortOnes(t *testing.T) {
	t.Parallel()
	tl := NewTimeline(200)
	tl.Add(Bar{Slot: 2, From: 0, To: time.Hour, Busy: time.Hour, N: 1, Label: "long"})
	for i := range 100_000 {
		from := time.Duration(i) * 36 * time.Millisecond
		tl.Add(Bar{Slot: 1, From: from, To: from + time.Millisecond, Busy: time.Millisecond, N: 1, Label: "short"})
	}
	bars := tl.Bars()
	last := bars[len(bars)-1]
	if last.Label != "long" || last.N != 1 || last.To != time.Hour {
		t.Errorf("slot 2 ends with %+v", last)
	}
	if len(bars) > 200 {
		t.Errorf("%d bars", len(bars))
	}
}

func TestTimeline_HidesSlotsBeyondItsLanes(t *testing.T) {
	t.Parallel()
	tl := NewTimeline(1)
	for i := range 1000 {
		tl.Add(Bar{Slot: i, From: time.Duration(i), To: time.Duration(i - 5), N: 1})
	}
	bars := tl.Bars()
	if n, _, _ := tally(bars); n != maxLanes || tl.Hidden() != 1000-maxLanes {
		t.Errorf("%d in lanes, %d hidden", n, tl.Hidden())
	}
	for _, b := range bars {
		if b.To < b.From {
			t.Errorf("%+v ends before it begins", b)
		}
	}
}
