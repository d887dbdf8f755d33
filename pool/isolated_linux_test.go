package pool_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// A worker in namespaces of its own is the first process there, or a child of the
// first, and works as any other; who it was isolated by is told when it has ended.
func TestIsolation_OfWorkersAndCommands(t *testing.T) {
	t.Parallel()
	for _, level := range []pool.Level{pool.Namespaces, pool.Sandbox} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 1})
			n, err := pool.Call(b.ctx, b.Pool, pid, struct{}{}, pool.WithIsolation(level))
			if errors.Is(err, pool.ErrConfine) {
				t.Skip(err)
			}
			if err != nil || n > 10 {
				t.Errorf("it takes itself for process %d, %v", n, err)
			}
			limits := pool.WithLimits(pool.Limits{CPU: 300 * time.Millisecond})
			if _, err := pool.Call(b.ctx, b.Pool, use, "cpu", pool.WithIsolation(level), limits); !errors.Is(err, pool.ErrLimit) {
				t.Errorf("error %v", err)
			}
			_, err = pool.Call(b.ctx, b.Pool, crash, "panic", pool.WithIsolation(level))
			var lost *pool.WorkerLostError
			if !errors.As(err, &lost) || lost.Which != pool.WhichPanic || lost.ExitCode != 2 {
				t.Errorf("error %v", err)
			}
			j := shell("echo $$; exit 3", nil)
			j.Command.Isolation = level
			if r := b.runJob(j); r.Outcome != pool.Failed || r.ExitCode != 3 || !slices.Contains(r.Isolation, "pid") {
				t.Errorf("%s (%s), isolation %q: %s", r.Outcome, r.Which, r.Isolation, r.Evidence)
			}
			if parts := b.Isolation(); !slices.Contains(parts, "pid") {
				t.Errorf("isolation of what has ended: %q", parts)
			}
		})
	}
}

// The signal goes through the process that stays as the first of the namespace.
func TestIsolation_AWorkerThatHangsTellsWhere(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	if _, err := pool.Call(b.ctx, b.Pool, pid, struct{}{}, pool.WithIsolation(pool.Namespaces)); errors.Is(err, pool.ErrConfine) {
		t.Skip(err)
	}
	_, err := pool.Call(b.ctx, b.Pool, hangs, "sleep", pool.WithIsolation(pool.Namespaces), pool.WithTimeout(50*time.Millisecond), pool.WithKillAfter(50*time.Millisecond))
	var timeout *pool.TimeoutError
	if !errors.As(err, &timeout) || !strings.Contains(timeout.Evidence, "it hangs in") || !strings.Contains(timeout.Evidence, "oversleep") {
		t.Errorf("error %v", err)
	}
}
