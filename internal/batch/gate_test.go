package batch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/pool"
)

// ward watches who holds what, and that nobody holds what another one has.
type ward struct {
	t      *testing.T
	mu     sync.Mutex
	held   map[string]string // unit: instance
	memory int64
	most   int64
	peak   map[string]int
}

func guard(t *testing.T, c *crew) *ward {
	w := &ward{t: t, held: map[string]string{}, peak: map[string]int{}}
	c.begun = func(in *Instance, _ int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, u := range in.Job.Uses {
			n := 0
			for _, h := range in.holds {
				if h.of.of != u.Resource {
					continue
				}
				for _, unit := range h.units {
					key := fmt.Sprintf("%s/%s", u.Resource.Name, u.Resource.ID(unit))
					if other := w.held[key]; other != "" {
						t.Errorf("%s is held by %s and %s", key, other, in.Label())
					}
					w.held[key] = in.Label()
					n++
				}
			}
			if n != u.Count {
				t.Errorf("%s holds %d of %s, want %d", in.Label(), n, u.Resource.Name, u.Count)
			}
			w.peak[u.Resource.Name] = max(w.peak[u.Resource.Name], w.count(u.Resource.Name))
		}
		w.memory += in.Job.Memory
		w.most = max(w.most, w.memory)
	}
	c.gone = func(in *Instance, _ int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for unit, holder := range w.held {
			if holder == in.Label() {
				delete(w.held, unit)
			}
		}
		w.memory -= in.Job.Memory
	}
	return w
}

func (w *ward) count(resource string) (n int) {
	for unit := range w.held {
		if strings.HasPrefix(unit, resource+"/") {
			n++
		}
	}
	return n
}

func TestGates_ShareUnitsWithoutStarvingOrDeadlock(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		tr := setup(t, `
resources: {gpu: [x, y, z], db: 4, memory: 100}
jobs:
  - {id: small, task: echo, foreach: {range: 1..60}, uses: {gpu: 1}, retry: {max: 2, backoff: 3s}}
  - {id: other, run: [x], foreach: {range: 1..60}, uses: {db: 1, gpu: 1}}
  - {id: big, task: echo, foreach: {range: 1..5}, uses: {gpu: 3, db: 4}, retry: {max: 1, backoff: 1s}}
  - {id: wide, run: [x], foreach: {range: 1..20}, uses: {slots: 3, memory: 60}}
  - {id: mem, run: [x], foreach: {range: 1..40}, uses: {memory: 30, db: 2}, max_parallel: 3}
  - {id: free, run: [x], foreach: {range: 1..40}}
`)
		c := crewed(tr, 6)
		w := guard(t, c)
		rnd := rand.New(rand.NewPCG(seed, 3))
		c.work = func(*Instance, int) (time.Duration, *pool.Result) {
			if rnd.IntN(4) == 0 {
				return time.Duration(rnd.IntN(5000)) * time.Millisecond, failed(1)
			}
			return time.Duration(rnd.IntN(5000)) * time.Millisecond, ok()
		}
		rep := tr.run()
		if rep.Totals.Jobs != 225 || rep.Totals.OK < 100 {
			t.Errorf("totals %+v", rep.Totals)
		}
		if len(w.held) > 0 || w.memory != 0 || w.most > 100 || w.most < 60 {
			t.Errorf("held at the end: %v, memory %d, at most %d", w.held, w.memory, w.most)
		}
		units := map[string][]string{}
		for _, s := range c.starts {
			if !strings.HasPrefix(s.label, "small") {
				continue
			}
			if before, again := units[s.label]; again && !slices.Equal(before, s.units) {
				t.Errorf("attempt %d of task %s holds %v, and held %v", s.attempt, s.label, s.units, before)
			}
			units[s.label] = s.units
		}
	}
}

// One that needs all of something gets it, though many that need a little come
// before and behind it.
func TestGates_ManyDoNotPassOneThatNeedsMuch(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
resources: {db: 3}
jobs:
  - {id: a, run: [x], foreach: {range: 1..300}, uses: {db: 1}}
  - {id: big, run: [x], priority: 1, uses: {db: 3}}
`)
	c := crewed(tr, 4)
	w := guard(t, c)
	c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
		return time.Duration(900+in.Index%7*100) * time.Millisecond, ok()
	}
	tr.run()
	if s, _ := c.first("big"); s.at > 2*time.Second {
		t.Errorf("it started after %v", s.at)
	}
	if w.peak["db"] != 3 {
		t.Errorf("at most %d units were in use", w.peak["db"])
	}
}

func TestGates_UnitsAreFreeDuringBackoff(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
resources: {gpu: [7]}
jobs:
  - {id: a, run: [x], uses: {gpu: 1}, retry: {max: 1, backoff: 1m, jitter: 0}}
  - {id: b, run: [x], uses: {gpu: 1}}
`)
	c := crewed(tr, 2)
	guard(t, c)
	c.work = lasting(nil, "a")
	rep := tr.run()
	if s, _ := c.first("b"); s.at != time.Second || !slices.Equal(s.units, []string{"gpu/7"}) {
		t.Errorf("b started after %v with %v", s.at, s.units)
	}
	if rep.Wall != 62 || rep.Totals.Retried != 1 {
		t.Errorf("%v s, totals %+v", rep.Wall, rep.Totals)
	}
}

func TestGates_TaskWaitsForItsOwnUnits(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
resources: {gpu: 2}
jobs:
  - {id: a, task: echo, uses: {gpu: 1}, retry: {max: 1, backoff: 1s, jitter: 0}}
  - {id: b, run: [x], foreach: {range: 1..6}, uses: {gpu: 1}}
`)
	c := crewed(tr, 4)
	guard(t, c)
	c.work = lasting(map[string]time.Duration{"b": 10 * time.Second}, "a")
	tr.run()
	var units [][]string
	for _, s := range c.starts {
		if s.label == "a" {
			units = append(units, s.units)
			if s.attempt == 2 && s.at > 12*time.Second {
				t.Errorf("the second attempt began after %v", s.at)
			}
		}
	}
	if len(units) != 2 || !slices.Equal(units[0], units[1]) {
		t.Errorf("it held %v", units)
	}
}

func TestGates_MoreThanThereIsIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, run: [x]}
  - {id: wide, run: [x], uses: {slots: 3}}
  - {id: large, run: [x], uses: {memory: 1000TiB}}
`)
	rep := tr.run()
	if rep.Exit != ExitUsage || len(tr.ex.submitted()) > 0 {
		t.Errorf("exit %d, started %v", rep.Exit, tr.ex.submitted())
	}
	for _, want := range []string{"job.yaml:4:", "job wide: uses 3 slots, the run has 2 (-workers)", "job.yaml:5:", "job large: uses 1099511627776000 bytes of memory, there are "} {
		if !strings.Contains(tr.stderr.String(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, tr.stderr.String())
		}
	}
}

// within is the most of some times that lie within a span, its end left out.
func within(at []time.Duration, span time.Duration) (most int) {
	slices.Sort(at)
	for i := range at {
		n := 0
		for _, b := range at[i:] {
			if b < at[i]+span {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestGates_RateSpreadsStarts(t *testing.T) {
	t.Parallel()
	for _, rate := range []struct {
		text string
		n    int
		per  time.Duration
	}{{"10/s", 10, time.Second}, {"1/s", 1, time.Second}, {"90/m", 90, time.Minute}, {"500/s", 500, time.Second}} {
		tr := setup(t, `
jobs:
  - {id: a, run: [x], foreach: {range: 1..200}, rate: `+rate.text+`, retry: {max: 1, backoff: 5s, jitter: 0}}
  - {id: b, run: [x], foreach: {range: 1..10}}
`)
		c := crewed(tr, 50)
		c.work = lasting(map[string]time.Duration{"a": 10 * time.Millisecond}, "a#0", "a#7", "a#40", "a#199")
		rep := tr.run()
		var at []time.Duration
		for _, s := range c.starts {
			if strings.HasPrefix(s.label, "a") {
				at = append(at, s.at)
			}
		}
		if len(at) != 204 || at[0] != 0 {
			t.Fatalf("%s: %d starts, the first after %v; %+v", rate.text, len(at), at[0], rep.Totals)
		}
		// One more after a pause, which makes up for a timer that comes late.
		if n := within(at, rate.per); n > rate.n+1 {
			t.Errorf("%s: %d starts within %v", rate.text, n, rate.per)
		}
		if n := within(at[:100], rate.per); n > rate.n {
			t.Errorf("%s: %d starts within %v of the beginning", rate.text, n, rate.per)
		}
		ideal := time.Duration(203) * rate.per / time.Duration(rate.n)
		if last := slices.Max(at); last > ideal+6*time.Second {
			t.Errorf("%s: the last start came after %v, want about %v", rate.text, last, ideal)
		}
		if s, _ := c.first("b#9"); s.at != 0 {
			t.Errorf("%s: b waited until %v", rate.text, s.at)
		}
	}
}

// Nothing is saved up while there is nothing to start.
func TestGates_RateDoesNotMakeUpForIdleTime(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: slow, run: [x], foreach: {range: 1..40}, chunk: 20}
  - {id: a, run: [x], foreach: {from: slow}, rate: 5/s}
`)
	c := crewed(tr, 50)
	c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
		if in.Job.ID == "slow" {
			return time.Duration(1+in.Index*60) * time.Second, ok()
		}
		return time.Millisecond, ok()
	}
	tr.run()
	var at []time.Duration
	for _, s := range c.starts {
		if strings.HasPrefix(s.label, "a") {
			at = append(at, s.at)
		}
	}
	if n := within(at, time.Second); len(at) != 40 || n > 6 {
		t.Errorf("%d starts, %d of them within a second", len(at), n)
	}
}

func TestGates_MaxParallelCountsWhatWaits(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
resources: {db: 2}
jobs: [{id: a, run: [x], foreach: {range: 1..20}, max_parallel: 3, uses: {db: 1}}]
`)
	c := crewed(tr, 5)
	guard(t, c)
	if rep := tr.run(); rep.Wall != 10 {
		t.Errorf("it took %v s", rep.Wall)
	}
}

// busy is a machine whose load a test sets, and that counts how often it is looked at.
func busy(load, looks *atomic.Int64) *Machine {
	return &Machine{maxLoad: 4, load: func() (float64, error) { looks.Add(1); return float64(load.Load()), nil }}
}

func TestGates_BusyMachineHoldsStarts(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x], foreach: {range: 1..10}}]")
	var load, looks atomic.Int64
	load.Store(9)
	tr.cfg.Machine = busy(&load, &looks)
	c := crewed(tr, 2)
	rep := tr.steer(func() {
		time.Sleep(time.Minute)
		if len(c.began()) > 0 {
			t.Error("something started on a busy machine")
		}
		load.Store(1)
	})
	if rep.Totals.OK != 10 || rep.Wall < 65 || rep.Wall > 66 {
		t.Errorf("totals %+v after %v s", rep.Totals, rep.Wall)
	}
	if n := looks.Load(); n > 300 {
		t.Errorf("it was looked at %d times in about a minute", n)
	}
}

func TestGates_HaltWhileInstancesWait(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		tr := setup(t, `
resources: {db: 1}
jobs:
  - {id: a, run: [x], foreach: {range: 1..500}, uses: {db: 1}}
  - {id: r, run: [x], foreach: {range: 1..500}, rate: 1/h}
`)
		c := crewed(tr, 4)
		w := guard(t, c)
		rep := tr.steer(func() {
			time.Sleep(2500 * time.Millisecond)
			tr.signals <- sig
		})
		x := rep.Totals
		if rep.Exit != ExitSignal+int(sig) || rep.Wall > 3 || x.OK+x.Cancelled != 4 || len(w.held) > 0 {
			t.Errorf("%v: exit %d after %v s, totals %+v, held %v", sig, rep.Exit, rep.Wall, x, w.held)
		}
		if x.NotStarted == 0 || x.NotStarted > 1000 {
			t.Errorf("%v: %d were not started", sig, x.NotStarted)
		}
	}
}

func TestGates_HigherPriorityGoesFirst(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
resources: {db: 1}
jobs:
  - {id: low, run: [x], foreach: {range: 1..5}, uses: {db: 1}}
  - {id: high, run: [x], foreach: {range: 1..5}, uses: {db: 1}, priority: 5}
  - {id: later, run: [x], foreach: {range: 1..3}, uses: {db: 1}, priority: -1}
`)
	c := crewed(tr, 2)
	guard(t, c)
	tr.run()
	want := "high#0 high#1 high#2 high#3 high#4 low#0 low#1 low#2 low#3 low#4 later#0 later#1 later#2"
	if got := strings.Join(c.began(), " "); got != want {
		t.Errorf("started %s", got)
	}
}

// An instance that waits at the gates for its second attempt ends when the run does.
func TestGates_CancelOfOneThatWaitsForItsSecondAttempt(t *testing.T) {
	t.Parallel()
	for _, halt := range []string{"now", "soon"} {
		tr := setup(t, `
halt: `+halt+`,fail=1
resources: {db: 1}
jobs:
  - {id: a, run: [x], uses: {db: 1}, retry: {max: 3, backoff: 1s, jitter: 0}}
  - {id: hog, run: [x], uses: {db: 1}}
  - {id: bad, run: [x]}
`)
		c := crewed(tr, 3)
		w := guard(t, c)
		c.work = lasting(map[string]time.Duration{"hog": time.Minute, "bad": 10 * time.Second}, "a", "bad")
		rep := tr.run()
		if c.asked != 1 || rep.Exit != ExitHalted || rep.Totals.Jobs != 3 || len(w.held) > 0 {
			t.Errorf("%s: asked %d times, exit %d, totals %+v, held %v", halt, c.asked, rep.Exit, rep.Totals, w.held)
		}
		if want := map[string]float64{"now": 10, "soon": 61}[halt]; rep.Wall != want {
			t.Errorf("%s: ended after %v s, want %v", halt, rep.Wall, want)
		}
		var said bool
		for _, e := range tr.eventList() {
			if e["job"] == "a" && e["event"] == "job.end" {
				said = e["outcome"] == "cancelled" && strings.Contains(fmt.Sprint(e["evidence"]), "the last one: exit code 1")
			}
		}
		if !said {
			t.Errorf("%s: the end of a does not say how its last attempt ended", halt)
		}
	}
}

// A halt may come between the question whether an attempt is worth another one and
// the run's being told of that.
func TestGates_HaltBetweenAnEndAndItsRetry(t *testing.T) {
	t.Parallel()
	for _, uses := range []string{", uses: {db: 1}", ""} {
		tr := setup(t, "resources: {db: 1}\njobs: [{id: a, run: [x]"+uses+", retry: {max: 1, backoff: 5m, jitter: 0}}, {id: b, run: [x]}]")
		tr.cfg.Halt = config.Halt{}
		tr.cfg.Drain = time.Hour
		c := crewed(tr, 2)
		c.work = lasting(map[string]time.Duration{"b": time.Minute}, "a")
		var once sync.Once
		c.gone = func(in *Instance, _ int) {
			if in.Job.ID == "a" {
				// Halting was asked: it is no more true when Retrying is called.
				once.Do(func() {
					tr.signals <- syscall.SIGINT
					time.Sleep(time.Second)
				})
			}
		}
		rep := tr.steer(func() {})
		if rep.Exit != ExitSignal+2 || rep.Totals.Cancelled != 1 || rep.Totals.OK != 1 || rep.Wall != 60 {
			t.Errorf("%q: exit %d after %v s, totals %+v", uses, rep.Exit, rep.Wall, rep.Totals)
		}
	}
}
