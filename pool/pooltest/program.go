package pooltest

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/pool"
)

// The variables with which Program tells a worker what to do.
const (
	startEnv = "POOLTEST_START"
	timesEnv = "POOLTEST_START_TIMES"
	dirEnv   = "POOLTEST_START_DIR"
)

// Program returns this test binary as a worker program whose first starts fail,
// before the worker is ready and has seen a job; times says how many, 0 = all. The
// others are good workers.
//
// by is what happens at the start: Panic (exit code 2), Exit, Signal; Stuck or
// Freeze for a worker that does not get ready until its StartTimeout is over. When
// more starts fail, one after the other, than Config.Restarts allows, the jobs end
// with pool.ErrRestartLimit.
//
// For a worker whose initializer fails, make that of [Faulty] by pool.InitWith; for
// one that dies between two jobs, see [AfterResult].
func Program(t testing.TB, by How, times int) pool.Program {
	t.Helper()
	if !by.endsProcess() || times < 0 {
		t.Fatalf("pooltest: a start cannot fail by %q, %d times", by, times)
	}
	return pool.Program{Env: append(os.Environ(),
		startEnv+"="+string(by), timesEnv+"="+strconv.Itoa(times), dirEnv+"="+t.TempDir())}
}

// A worker's own init functions are the first of it that a package can reach.
func init() {
	by := os.Getenv(startEnv)
	if by == "" || boot.Role != boot.Worker {
		return
	}
	dir := os.Getenv(dirEnv)
	times, err := strconv.Atoi(os.Getenv(timesEnv))
	for _, name := range []string{startEnv, timesEnv, dirEnv} {
		os.Unsetenv(name) // its own children are not meant
	}
	var due bool
	if err == nil {
		due, err = take(dir, times)
	}
	if err == nil && due {
		err = How(by).do(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pooltest: start:", err)
		os.Exit(1)
	}
}
