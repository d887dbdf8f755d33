package pool_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

var prepared = 0

var (
	prepare = task.Define("prepare", func(_ context.Context, n int) (int, error) {
		if n < 0 {
			return 0, errSentinel
		}
		prepared = n
		return 0, nil
	})
	preparedAs = task.Define("preparedAs", func(context.Context, struct{}) (int, error) { return prepared, nil })
)

func initWith[In, Out any](t *testing.T, tk task.Task[In, Out], in In) *pool.Init {
	t.Helper()
	i, err := pool.InitWith(tk, in)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestInit_RunsFirstInEveryWorker(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2, Program: pool.Program{MaxJobs: 3, Init: initWith(t, prepare, 42)}})
	for range 20 {
		f, g := submit(b, preparedAs, struct{}{}), submit(b, preparedAs, struct{}{})
		for _, f := range []*pool.Future[int]{f, g} {
			if n, err := f.Result(b.ctx); err != nil || n != 42 {
				t.Fatal(n, err)
			}
		}
	}
	if s := b.Stats(); s.Ended[pool.OK] != 40 || s.Submitted != 40 {
		t.Errorf("what prepares a worker counts as a job: %+v", s)
	}
}

func TestInit_ThatFailsIsOneClearErrorWithinTheBudget(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		init *pool.Init
		is   error
		says string
	}{
		"returns an error": {initWith(t, prepare, -1), errSentinel, "sentinel"},
		"panics":           {initWith(t, boom, "aargh"), nil, "aargh"},
		"exits":            {initWith(t, exit, 7), nil, "exited with code 7"},
		"is killed":        {initWith(t, raise, int(syscall.SIGKILL)), nil, "SIGKILL"},
		"takes too long":   {initWith(t, deaf, time.Minute), nil, "init not done within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prog := pool.Program{Init: tt.init}
			if name == "takes too long" {
				prog.StartTimeout = startLimit
			}
			b := setup(t, pool.Config{Workers: 2, Restarts: 2, Program: prog})
			f, g := submit(b, noop, 1), submit(b, noop, 2)
			_, err := f.Result(b.ctx)
			if !errors.Is(err, pool.ErrRestartLimit) || !strings.Contains(err.Error(), tt.says) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v", err)
			}
			if _, err := g.Result(b.ctx); !errors.Is(err, pool.ErrRestartLimit) {
				t.Errorf("the other job: %v", err)
			}
			if err := b.Warm(b.ctx); !errors.Is(err, pool.ErrRestartLimit) {
				t.Errorf("Warm: %v", err)
			}
			if s := b.Stats(); s.Started > 2*3+1 {
				t.Errorf("%d workers were started", s.Started)
			}
		})
	}
}
