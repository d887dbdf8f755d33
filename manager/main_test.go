package manager_test

import (
	"context"
	"fmt"
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
	var leaks []func() []string
	for _, gate := range gates {
		leaks = append(leaks, gate())
	}
	// Processes share one guardian, which lives as long as the program.
	guardian := goleak.IgnoreAnyFunction("github.com/feac4032/multiproc/internal/spawn.(*instance).watch")
	goleak.VerifyTestMain(m, guardian, goleak.Cleanup(func(code int) {
		if code == 0 {
			for _, leaked := range leaks {
				for _, what := range leaked() {
					fmt.Fprintln(os.Stderr, "leaked:", what)
					code = 1
				}
			}
		}
		os.Exit(code)
	}))
}

// gates watch what is left behind besides goroutines: each notes what there is
// before the tests, and returns what finds the rest after them.
var gates []func() (leaked func() []string)

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
