package manager_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/worker"
)

func TestMain(m *testing.M) {
	if os.Getenv(rawEcho) != "" {
		echoFrames()
	}
	worker.Init()
	// Processes share one guardian, which lives as long as the program.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/feac4032/multiproc/internal/spawn.(*instance).watch"))
}

// limit bounds what should take no time at all.
const limit = 20 * time.Second

// bundle is what a test of workers needs.
type bundle struct {
	ctx context.Context
	m   *manager.Manager
	p   *pool.Pool
}

// setup starts a manager, and a pool of n workers.
func setup(t testing.TB, n int, opts ...manager.Option) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*limit)
	m := manager.New(opts...)
	p, err := pool.New(ctx, pool.Config{Workers: n, Manager: m, Stdout: os.Stderr, MaxWindow: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		p.Shutdown(context.Background())
		m.Close()
		cancel()
	})
	return &bundle{ctx, m, p}
}
