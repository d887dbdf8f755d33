package pool_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

func TestMaxJobs_OneGivesEveryJobAProcess(t *testing.T) {
	t.Parallel()
	jobs := 1000
	if testing.Short() {
		jobs = 100
	}
	b := setup(t, pool.Config{Workers: 2, Program: pool.Program{MaxJobs: 1}})
	futures := make([]*pool.Future[int], jobs)
	for i := range futures {
		futures[i] = submit(b, pid, struct{}{})
	}
	seen := map[int]bool{}
	for _, f := range futures {
		id, err := f.Result(b.ctx)
		if err != nil || seen[id] {
			t.Fatalf("%v; process %d has run a job before: %v", err, id, seen[id])
		}
		seen[id] = true
	}
	if s := b.Stats(); s.Lost != 0 || s.Recycled < uint64(jobs-2) || s.Ended[pool.OK] != uint64(jobs) {
		t.Errorf("%+v", s)
	}
}

// A backlog that is longer than all workers may run is what makes other pools hang.
func TestMaxJobs_LosesNothingAndKeepsTheOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{MaxJobs: 50}})
	const jobs = 2000
	var mu sync.Mutex
	begun := make([]time.Time, jobs) // ends of two workers may cross on their way here
	ended := 0
	var all sync.WaitGroup
	perWorker := map[int]int{}
	for i := range jobs {
		all.Add(1)
		payload, _ := noop.EncodeIn(nil, i)
		b.Go(&pool.Job{Task: noop.Name(), Payload: payload, Done: func(_ *pool.Job, r *pool.Result) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			if r.Outcome != pool.OK {
				t.Errorf("job %d: %v", i, r)
			}
			begun[i] = r.Start
			ended++
			perWorker[r.PID]++
		}})
	}
	all.Wait()
	if ended != jobs {
		t.Fatalf("%d ends of %d jobs", ended, jobs)
	}
	inOrder(t, begun)
	shorter := false
	for id, n := range perWorker {
		if n > 50 {
			t.Errorf("process %d has run %d jobs", id, n)
		}
		shorter = shorter || n < 50
	}
	if len(perWorker) < jobs/50 || !shorter {
		t.Errorf("%d workers: %v; none of them ended a little early", len(perWorker), perWorker)
	}
}

func TestRecycling_LosesNothingAndKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for name, prog := range map[string]pool.Program{
		"MaxAge":              {MaxAge: 20 * time.Millisecond},
		"MaxMemory":           {MaxMemory: 1},
		"MaxJobs with spares": {MaxJobs: 7, Spares: 2},
		"all":                 {MaxJobs: 20, MaxAge: 20 * time.Millisecond, IdleTimeout: time.Millisecond, Spares: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 1, Program: prog})
			const jobs = 100
			begun := make([]time.Time, jobs)
			ends := make(chan struct{}, 2*jobs)
			for i := range jobs {
				payload, _ := nap.EncodeIn(nil, 2*time.Millisecond)
				b.Go(&pool.Job{Task: nap.Name(), Payload: payload, Done: func(_ *pool.Job, r *pool.Result) {
					if r.Outcome != pool.OK {
						t.Errorf("job %d: %v", i, r)
					}
					begun[i] = r.Start
					ends <- struct{}{}
				}})
			}
			for n := range jobs {
				select {
				case <-ends:
				case <-b.ctx.Done():
					t.Fatalf("only %d of %d jobs have ended", n, jobs)
				}
			}
			inOrder(t, begun)
			waitFor(t, func() bool { return b.Stats().Ended[pool.OK] == jobs }) // counted after Done
			if s := b.Stats(); s.Recycled < 3 || s.Lost != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestMaxAge_ReplacesBetweenJobs(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{MaxAge: 50 * time.Millisecond}})
	first, err := pool.Call(b.ctx, b.Pool, nap, 150*time.Millisecond) // longer than that, and not disturbed
	if err != nil {
		t.Fatal(err)
	}
	second, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
	if err != nil || second == first {
		t.Errorf("process %d again, %v", second, err)
	}
	time.Sleep(60 * time.Millisecond) // idle for as long
	if third, err := pool.Call(b.ctx, b.Pool, pid, struct{}{}); err != nil || third == second {
		t.Errorf("idle process %d again, %v", third, err)
	}
}

var hoard = task.Define("hoard", func(_ context.Context, mib int) (int, error) {
	b := make([]byte, mib<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	hoarded = append(hoarded, b)
	return os.Getpid(), nil
})

var hoarded [][]byte

func TestMaxMemory_ReplacesAfterTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{MaxMemory: 128 << 20}})
	small, err := pool.Call(b.ctx, b.Pool, hoard, 1)
	if err != nil {
		t.Fatal(err)
	}
	if w := b.Stats().Workers[0]; w.Memory < 1<<20 || w.Memory > 100<<20 {
		t.Errorf("measured %d bytes", w.Memory)
	}
	var behind []*pool.Future[int]
	large := submit(b, hoard, 160)
	for range 20 {
		behind = append(behind, submit(b, pid, struct{}{}))
	}
	if id, err := large.Result(b.ctx); err != nil || id != small {
		t.Errorf("the job that takes much: process %d, %v", id, err)
	}
	for _, f := range behind {
		if id, err := f.Result(b.ctx); err != nil || id == small {
			t.Errorf("a job behind it: process %d, %v", id, err)
		}
	}
	if s := b.Stats(); s.Recycled != 1 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

func TestIdleTimeout_EndsWhoHasNothingToDo(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2, Program: pool.Program{IdleTimeout: 50 * time.Millisecond}})
	f, g := submit(b, nap, 10*time.Millisecond), submit(b, nap, 10*time.Millisecond)
	first, err := f.Result(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	g.Result(b.ctx)
	waitFor(t, func() bool { return len(b.Stats().Workers) == 0 })
	if id, err := pool.Call(b.ctx, b.Pool, pid, struct{}{}); err != nil || id == first {
		t.Errorf("afterwards process %d, %v", id, err)
	}
	if s := b.Stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

func TestSpares_TakeOver(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Spares: 2, IdleTimeout: 20 * time.Millisecond}})
	if err := b.Warm(b.ctx); err != nil {
		t.Fatal(err)
	}
	before := b.Stats()
	if len(before.Workers) != 3 {
		t.Fatalf("%d workers, want one and two spares", len(before.Workers))
	}
	long := submit(b, nap, time.Minute, pool.WithKillAfter(time.Millisecond))
	waitFor(t, func() bool { return b.Stats().Running == 1 })
	time.Sleep(60 * time.Millisecond) // what is idle longer than allowed may go, spares excepted
	if s := b.Stats(); len(s.Workers) < 3 {
		t.Errorf("spares have gone: %+v", s.Workers)
	}
	for _, w := range b.Stats().Workers {
		if w.State == pool.WorkerBusy {
			syscall.Kill(w.PID, syscall.SIGKILL)
		}
	}
	if _, err := long.Result(b.ctx); err == nil {
		t.Fatal("the killed job has ended well")
	}
	id, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
	ready := false
	for _, w := range before.Workers {
		ready = ready || w.PID == id
	}
	if err != nil || !ready {
		t.Errorf("process %d was started for it, %v", id, err)
	}
	waitFor(t, func() bool { // and there are two spares again
		idle := 0
		for _, w := range b.Stats().Workers {
			if w.State == pool.WorkerIdle {
				idle++
			}
		}
		return idle >= 2
	})
}

func TestPriority_GoesAhead(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{}})
	gate := submit(b, nap, 200*time.Millisecond)
	waitFor(t, func() bool { return b.Stats().Running == 1 })
	var mu sync.Mutex
	var order []int
	var all sync.WaitGroup
	payload, _ := noop.EncodeIn(nil, 0)
	for _, n := range []int{0, 5, -1, 5, 9} {
		all.Add(1)
		b.Go(&pool.Job{Task: noop.Name(), Payload: payload, Priority: n, Done: func(*pool.Job, *pool.Result) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			order = append(order, n)
		}})
	}
	all.Wait()
	if !slices.Equal(order, []int{9, 5, 5, 0, -1}) {
		t.Errorf("order %v", order)
	}
	if _, err := gate.Result(b.ctx); err != nil {
		t.Error(err)
	}
}

// inOrder checks that jobs were given away in the order in which they came.
func inOrder(t *testing.T, begun []time.Time) {
	t.Helper()
	for i := range begun {
		if begun[i].IsZero() || i > 0 && begun[i].Before(begun[i-1]) {
			t.Fatalf("job %d was given away at %v, the one before at %v", i, begun[i], begun[max(i, 1)-1])
		}
	}
}
