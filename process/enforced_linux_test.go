package process_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
)

func TestLimits_OfACommandAreEnforced(t *testing.T) {
	t.Parallel()
	for which, c := range map[string]struct {
		limits process.Limits
		script string
	}{
		"cpu":       {process.Limits{CPU: 200 * time.Millisecond}, "while :; do :; done"},
		"pids":      {process.Limits{PIDs: 5}, "for i in 1 2 3 4 5 6 7 8; do sleep 60 & done; wait"},
		"files":     {process.Limits{Files: 6}, "exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null"},
		"file_size": {process.Limits{FileSize: 64 << 10}, "head -c 1000000 /dev/zero > big"},
		"":          {process.Limits{CPU: time.Minute, PIDs: 50, Files: 50, FileSize: 1 << 20, Memory: 1 << 30}, "exit 3"},
	} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			p := process.Command([]string{"sh", "-c", c.script}, process.WithLimits(c.limits), process.WithDir(t.TempDir()), process.WithStderr(nil))
			if err := p.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			err := p.Join(ctx)
			var limit *process.LimitError
			if found := errors.As(err, &limit); found != (which != "") || found != errors.Is(err, process.ErrLimit) {
				t.Errorf("error %v", err)
			}
			if limit != nil && (limit.Which != which || limit.Limit == 0 || limit.Observed < limit.Limit || limit.EnforcedBy == "") {
				t.Errorf("%+v", limit)
			}
			if code, _ := p.ExitCode(); which == "" && code != 3 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestLimits_OurOwnKillIsNoLimit(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	p := process.Command([]string{"sleep", "60"}, process.WithLimits(process.Limits{CPU: time.Minute}), process.WithKillAfter(0))
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := p.Join(context.Background()); !errors.Is(err, context.Canceled) || errors.Is(err, process.ErrLimit) {
		t.Errorf("error %v", err)
	}
}

var spin = task.Define("test/spin", func(_ context.Context, d time.Duration) (n int, err error) {
	for until := time.Now().Add(d); time.Now().Before(until); n++ {
	}
	return n, nil
})

func TestLimits_OfATaskAreEnforced(t *testing.T) {
	t.Parallel()
	c := process.New(spin, time.Minute, process.WithLimits(process.Limits{CPU: 300 * time.Millisecond}))
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Result(context.Background()); !errors.Is(err, process.ErrLimit) {
		t.Errorf("error %v", err)
	}
}
