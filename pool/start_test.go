//go:build unix

package pool_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

func TestStart_FailingProgramEndsInOneError(t *testing.T) {
	t.Parallel()
	for name, argv := range map[string][]string{
		"dies at once": {"/bin/false"},
		"not there":    {"/no/such/program"},
		"no worker":    {"/bin/echo", "I am no worker"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 2, Program: pool.Program{Command: argv}, Restarts: 2})
			start := time.Now()
			if name == "dies at once" { // with no job to start a worker for
				if _, err := b.Tasks(b.ctx, nil); !errors.Is(err, pool.ErrRestartLimit) {
					t.Errorf("Tasks: %v", err)
				}
			}
			f := submit(b, noop, 1)
			if _, err := f.Result(b.ctx); !errors.Is(err, pool.ErrRestartLimit) {
				t.Errorf("error %v", err)
			}
			if _, err := b.Tasks(b.ctx, nil); !errors.Is(err, pool.ErrRestartLimit) {
				t.Errorf("Tasks: %v", err)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("took %v", d)
			}
			if _, err := submit(b, noop, 2).Result(b.ctx); !errors.Is(err, pool.ErrRestartLimit) {
				t.Errorf("later job: %v", err)
			}
		})
	}
}

func TestStart_Timeout(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Restarts: 1, Program: pool.Program{Command: []string{"sleep", "1000"}, StartTimeout: 50 * time.Millisecond}})
	_, err := submit(b, noop, 1).Result(b.ctx)
	if !errors.Is(err, pool.ErrRestartLimit) || !strings.Contains(err.Error(), "not ready within 50ms") {
		t.Errorf("error %v", err)
	}
}

func TestTasks_AreAnnounced(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	names, err := b.Tasks(b.ctx, nil)
	if err != nil || !slices.Contains(names, "noop") || !slices.IsSorted(names) {
		t.Errorf("%v, %v", names, err)
	}
}
