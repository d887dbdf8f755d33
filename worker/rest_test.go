package worker

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// resting is a rest that counts how often memory is given back.
func resting(idle func() bool) (*rest, *atomic.Int64) {
	given := new(atomic.Int64)
	r := new(rest)
	r.init(func() { given.Add(1) }, idle)
	return r, given
}

func TestRest_GivesBackOnceWhenThereIsNothingToDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, given := resting(func() bool { return true })
		for want := range int64(3) {
			time.Sleep(time.Hour)
			if given.Load() != want {
				t.Fatalf("given back %d times after work %d times", given.Load(), want)
			}
			for range 10 { // with pauses that are too short for a rest
				r.stir()
				time.Sleep(restAfter / 2)
			}
			if given.Load() != want {
				t.Fatalf("given back while there was work, %d times instead of %d", given.Load(), want)
			}
		}
	})
}

func TestRest_WaitsForWhatRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var over atomic.Bool
		r, given := resting(over.Load)
		r.stir()
		time.Sleep(time.Minute)
		if given.Load() != 0 {
			t.Errorf("given back %d times while a job ran", given.Load())
		}
		over.Store(true)
		time.Sleep(restAfter)
		synctest.Wait()
		if given.Load() != 1 {
			t.Errorf("given back %d times after the job, want once", given.Load())
		}
	})
}

func TestRest_LooksAgainAtWhatCameWhileItGaveBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var given atomic.Int64
		r := new(rest)
		r.init(func() {
			if given.Add(1) == 1 {
				r.stir()
			}
		}, func() bool { return true })
		r.stir()
		time.Sleep(time.Minute)
		if n := given.Load(); n != 2 {
			t.Errorf("given back %d times, want 2", n)
		}
	})
}

func TestRest_NotWhileAnythingWaitsOrRuns(t *testing.T) {
	t.Parallel()
	q := newJobQueue(func(*job) *jobContext { return new(jobContext) })
	if !q.resting() {
		t.Error("a new queue has something to do")
	}
	b := q.fresh()
	b.jobs = append(b.jobs, job{id: 1, of: b})
	b.open = 1
	q.add(b)
	if q.resting() {
		t.Error("rests with a job that waits")
	}
	j, _ := q.take(0, nil, func() {})
	if q.resting() {
		t.Error("rests with a job that runs")
	}
	q.close()
	q.take(0, j, func() {})
	if !q.resting() || q.spare != nil {
		t.Errorf("after the last job: %d batches are kept", len(q.spare))
	}
}
