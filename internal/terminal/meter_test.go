package terminal

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// simulate runs instances of such durations on slots, lets look see the meter every
// second, and returns when all have ended.
func simulate(m *Meter, slots int, walls []time.Duration, look func(done int, since time.Duration)) time.Duration {
	begin := time.Now()
	free := make([]time.Time, slots) // when each slot will be
	ends := make([]time.Time, 0, len(walls))
	wall := map[time.Time][]time.Duration{}
	for i := range free {
		free[i] = begin
	}
	for _, w := range walls {
		first := 0
		for i := range free {
			if free[i].Before(free[first]) {
				first = i
			}
		}
		free[first] = free[first].Add(w)
		ends = append(ends, free[first])
		wall[free[first]] = append(wall[free[first]], w)
	}
	end := begin
	for _, e := range ends {
		if e.After(end) {
			end = e
		}
	}
	done := 0
	at := make([]time.Time, 0, len(wall))
	for e := range wall {
		at = append(at, e)
	}
	slices.SortFunc(at, time.Time.Compare)
	next := begin.Add(time.Second)
	for _, e := range at {
		for ; next.Before(e); next = next.Add(time.Second) {
			time.Sleep(time.Until(next))
			look(done, time.Since(begin))
		}
		time.Sleep(time.Until(e))
		for _, w := range wall[e] {
			m.Observe(w)
			done++
		}
	}
	return time.Since(begin)
}

func TestMeter_ForetellsTheEnd(t *testing.T) {
	t.Parallel()
	series := func(n int, wall func(i int) time.Duration) []time.Duration {
		walls := make([]time.Duration, n)
		for i := range walls {
			walls[i] = wall(i)
		}
		return walls
	}
	for name, c := range map[string]struct {
		slots int
		walls []time.Duration
		from  float64 // of the run: before, nothing is asked of the prophecy
		off   float64 // factor by which it may be off
	}{
		"constant":     {4, series(400, func(int) time.Duration { return 3 * time.Second }), 0.05, 1.1},
		"long and few": {4, series(20, func(int) time.Duration { return time.Minute }), 0.25, 1.1},
		"tiny":         {2, series(20_000, func(int) time.Duration { return 800 * time.Microsecond }), 0.3, 1.1},
		"bimodal": {4, series(600, func(i int) time.Duration { // half a second, and ten
			return []time.Duration{500 * time.Millisecond, 10 * time.Second}[i*7919%101%2]
		}), 0.15, 1.35},
		"one in ten is long": {8, series(1000, func(i int) time.Duration {
			if i*7919%101%10 == 0 {
				return 20 * time.Second
			}
			return time.Second
		}), 0.2, 1.75},
		"an outlier": {2, series(300, func(i int) time.Duration {
			if i == 20 {
				return 40 * time.Second
			}
			return time.Second
		}), 0.5, 1.25},
		"slow start": {4, series(400, func(i int) time.Duration { // the workers load something
			if i < 4 {
				return 30 * time.Second
			}
			return time.Second
		}), 0.5, 1.2},
		"growing": {4, series(300, func(i int) time.Duration { // to thrice as long
			return time.Second + time.Duration(i)*time.Second/150
		}), 0.5, 1.75},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				type guess struct{ at, eta time.Duration }
				var guesses []guess
				m := new(Meter)
				total := simulate(m, c.slots, c.walls, func(done int, since time.Duration) {
					left := len(c.walls) - done
					guesses = append(guesses, guess{since, m.ETA(left, min(c.slots, left))})
				})
				asked, worst := 0, 1.0
				for _, g := range guesses {
					left := total - g.at
					// Of the last round only the order of magnitude can be told.
					if float64(g.at) < c.from*float64(total) || float64(left) < 0.1*float64(total) {
						continue
					}
					asked++
					off := float64(g.eta) / float64(left)
					if off < 1 {
						off = 1 / off
					}
					if off > c.off {
						t.Errorf("after %v it foretells %v, and there are %v left", g.at, g.eta, left)
					}
					worst = math.Max(worst, off)
				}
				if asked < 3 {
					t.Errorf("asked %d times in %v, want more", asked, total)
				}
				t.Logf("off by up to %.2f in %d answers", worst, asked)
			})
		})
	}
}

func TestMeter_CountsDownBetweenEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(Meter)
		if got := m.ETA(10, 2); got != 0 {
			t.Errorf("before the first end %v, want 0, not known", got)
		}
		time.Sleep(time.Minute)
		m.Observe(time.Minute)
		m.Observe(time.Minute)
		for _, c := range []struct{ after, want time.Duration }{
			{0, 2 * time.Minute}, {30 * time.Second, 90 * time.Second}, {90 * time.Second, 0}, {time.Hour, 0},
		} {
			time.Sleep(c.after)
			if got := m.ETA(4, 2); got != c.want {
				t.Errorf("%v later %v left, want %v", c.after, got, c.want)
			}
		}
		if got := m.ETA(0, 0); got != 0 {
			t.Errorf("nothing remains, and %v are left", got)
		}
		// The last of all takes its time on one of many slots.
		m.Observe(time.Minute)
		if got := m.ETA(1, 8); got != time.Minute {
			t.Errorf("the last one takes %v, want a minute", got)
		}
	})
}

func TestMeter_RateIsOfTheLastSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(Meter)
		tick := func(n int, every time.Duration) {
			for range n {
				time.Sleep(every)
				m.Observe(every)
			}
		}
		near := func(want float64) {
			t.Helper()
			if got := m.Rate(); math.Abs(got-want) > 0.07*want {
				t.Errorf("rate %.2f, want about %.2f", got, want)
			}
		}
		near(0)
		tick(5, 100*time.Millisecond)
		near(0) // too early to say
		tick(300, 100*time.Millisecond)
		near(10)
		tick(2000, 10*time.Millisecond)
		near(100)
		if got := m.Median(); got != 10*time.Millisecond {
			t.Errorf("median %v, want 10ms", got)
		}
		time.Sleep(8 * time.Second)
		near(50)
		time.Sleep(time.Hour)
		near(0)
		tick(600, 100*time.Millisecond)
		near(10)
	})
}

func BenchmarkMeter_Observe(b *testing.B) {
	b.ReportAllocs()
	m := new(Meter)
	for b.Loop() {
		m.Observe(time.Millisecond)
	}
}
