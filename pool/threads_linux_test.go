package pool_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

func TestThreads_RunJobsSideBySide(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Threads: 8}})
	var all []*pool.Future[int]
	start := time.Now()
	for range 16 {
		all = append(all, submit(b, nap, 200*time.Millisecond))
	}
	ids := map[int]bool{}
	for _, f := range all {
		id, err := f.Result(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		ids[id] = true
	}
	if d := time.Since(start); len(ids) != 1 || d > 2*time.Second {
		t.Errorf("%d processes, in %v", len(ids), d)
	}
	for i := range 5000 { // and small ones, many at a time
		f := submit(b, noop, i)
		if i%100 == 0 {
			if n, err := f.Result(b.ctx); err != nil || n != i {
				t.Fatal(n, err)
			}
		}
	}
	// Timeouts are each job's own.
	slow := submit(b, nap, time.Minute, pool.WithTimeout(100*time.Millisecond))
	fast := submit(b, nap, 300*time.Millisecond)
	if _, err := slow.Result(b.ctx); !errors.Is(err, pool.ErrTimeout) {
		t.Errorf("slow: %v", err)
	}
	if _, err := fast.Result(b.ctx); err != nil {
		t.Errorf("fast: %v", err)
	}
}

func TestThreads_ShareTheFateOfTheirWorker(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Threads: 4}})
	beside := []*pool.Future[int]{submit(b, nap, time.Minute), submit(b, nap, time.Minute)}
	waitFor(t, func() bool { return b.Stats().Running == 2 })
	guilty := submit(b, raise, int(syscall.SIGKILL))
	for _, f := range append(beside, guilty) {
		var lost *pool.WorkerLostError
		if _, err := f.Result(b.ctx); !errors.As(err, &lost) || lost.Outcome != pool.Crashed || lost.Poisoned || !strings.Contains(lost.Evidence, "one of the 3 jobs that it ran") {
			t.Errorf("error %v", err)
		}
	}
}

func TestThreads_SuspectsAreTriedAgainAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Threads: 4}})
	retry := pool.WithRetry(pool.Retry{Max: 3, NoBackoff: true})
	beside := []*pool.Future[int]{submit(b, nap, 500*time.Millisecond, retry), submit(b, nap, 500*time.Millisecond, retry)}
	waitFor(t, func() bool { return b.Stats().Running == 2 })
	poison := submit(b, raise, int(syscall.SIGSEGV), retry)
	var lost *pool.WorkerLostError
	if _, err := poison.Result(b.ctx); !errors.As(err, &lost) || !lost.Poisoned {
		t.Errorf("the one that kills: %v", err)
	}
	for _, f := range beside {
		if _, err := f.Result(b.ctx); err != nil {
			t.Errorf("one that does not: %v", err)
		}
	}
	// Once together, then the guilty one twice alone: it is the second that counts.
	if s := b.Stats(); s.Lost != 3 {
		t.Errorf("%d workers were lost, want 3", s.Lost)
	}
}

func TestThreads_KilledForOneNameItToTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Threads: 2}})
	beside := submit(b, nap, time.Minute)
	slow := submit(b, deaf, time.Minute, pool.WithLabel("slow one"), pool.WithTimeout(100*time.Millisecond), pool.WithKillAfter(50*time.Millisecond))
	if _, err := slow.Result(b.ctx); !errors.Is(err, pool.ErrTimeout) {
		t.Errorf("the slow one: %v", err)
	}
	var lost *pool.WorkerLostError
	if _, err := beside.Result(b.ctx); !errors.As(err, &lost) || !strings.Contains(lost.Evidence, "worker lost through slow one") {
		t.Errorf("the one beside it: %v", err)
	}
}
