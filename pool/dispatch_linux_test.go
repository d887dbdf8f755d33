package pool_test

import (
	"context"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// A job that takes less time than many round trips is followed at once by the next
// one, which has to be with the worker by then.
func TestDispatch_WorkerWithOneJobHasTheNextOneToo(t *testing.T) {
	t.Parallel()
	cfg := pool.Config{Workers: 1}
	cfg.SetJobTime(func(time.Duration) time.Duration { return 200 * time.Microsecond })
	ctx := context.Background()
	p, err := pool.New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 10 { // until the window is as wide as the time of a job has it
		if _, err := pool.Call(ctx, p, noop, 1); err != nil {
			t.Fatal(err)
		}
	}
	first, err := pool.Submit(ctx, p, nap, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	second, err := pool.Submit(ctx, p, noop, 2)
	if err != nil {
		t.Fatal(err)
	}
	if got := second.Cancel(); got != pool.Interrupting {
		t.Errorf("the second job is %v: it waits for the first to end", got)
	}
	first.Cancel()
	<-first.Done()
	<-second.Done()
}
