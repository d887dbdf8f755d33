package pool_test

import (
	"context"
	"os"
	"testing"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// A pool of the program's workers, within a worker.
var nested = task.Define("nested", func(ctx context.Context, depth int) (int, error) {
	if depth == 0 {
		return os.Getpid(), nil
	}
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		return 0, err
	}
	defer p.Close()
	return pool.Call(ctx, p, nestedAgain(), depth-1)
})

// nestedAgain is nested, without a cycle of initialization.
func nestedAgain() task.Task[int, int] { return *nestedTask }

var nestedTask *task.Task[int, int]

func init() { nestedTask = &nested }

func TestNested_PoolsOfWorkersEndWithThem(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	for depth := range 4 {
		if id, err := pool.Call(b.ctx, b.Pool, nested, depth); err != nil || id == os.Getpid() {
			t.Errorf("depth %d: process %d, %v", depth, id, err)
		}
	}
}
