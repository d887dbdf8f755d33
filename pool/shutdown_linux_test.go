package pool_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

func TestShutdown_EndsByItsDeadlineWhateverWorkersDo(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	done := make(chan struct{})
	b.Go(&pool.Job{
		Label: "stubborn", KillAfter: time.Minute,
		Command: &pool.Command{Argv: []string{"/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"}},
		Done:    func(*pool.Job, *pool.Result) { close(done) },
	})
	f := submit(b, deafToAll, time.Minute, pool.WithKillAfter(time.Minute), pool.WithLabel("deaf"))
	queued := submit(b, nap, time.Minute)
	waitFor(t, func() bool { return b.Stats().Running == 2 })
	const limit = 4 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	start := time.Now()
	r := b.Shutdown(ctx)
	if d := time.Since(start); d > limit {
		t.Errorf("it took %v", d)
	}
	if r.Cancelled != 3 || r.Terminated != 2 || len(r.Killed) != 2 || len(r.Leaked) != 0 || !strings.Contains(r.Killed[0], "with deaf") || !strings.Contains(r.Killed[1], "stubborn") {
		t.Errorf("%+v", r)
	}
	for _, f := range []*pool.Future[int]{f, queued} {
		if _, err := f.Result(b.ctx); !errors.Is(err, pool.ErrCancelled) {
			t.Errorf("error %v", err)
		}
	}
	<-done
}

// deafToAll is in the way of every signal that can be ignored.
var deafToAll = task.Define("deafToAll", func(_ context.Context, d time.Duration) (int, error) {
	cmd := exec.Command("/bin/sh", "-c", "trap '' TERM INT HUP; sleep 60") // and so is its child
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	time.Sleep(d)
	return 0, nil
})

func TestShutdown_WithTimeToSpareInterruptsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	f := submit(b, nap, 100*time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if r := b.Shutdown(ctx); r.Cancelled != 0 || r.Killed != nil || r.Terminated != 0 {
		t.Errorf("%+v", r)
	}
	if _, err := f.Result(b.ctx); err != nil {
		t.Error(err)
	}
}
