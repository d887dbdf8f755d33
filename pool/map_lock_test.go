//go:build unix

package pool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

func isErrItems(err error) bool { return errors.Is(err, pool.ErrItems) }

// keep takes a lock and leaves it held, and says whether the one before has.
var keep = task.Define("keep", func(ctx context.Context, _ int) (bool, error) {
	lock, err := manager.Lock(ctx, "lock")
	if err != nil {
		return false, err
	}
	held, err := lock.Acquire(ctx)
	return held.Abandoned != nil, err
})

func TestMap_LockThatAnItemLeavesHeldGoesToItsMates(t *testing.T) {
	t.Parallel()
	m := manager.New()
	if _, err := manager.NewLock(m, "lock"); err != nil {
		t.Fatal(err)
	}
	b := setup(t, pool.Config{Workers: 2, Manager: m})
	i := 0
	for left, err := range pool.Map(b.ctx, b.Pool, keep, upTo(300), pool.Chunk(20)) {
		if err != nil || left != (i > 0) && i > 4 { // who is first is not said
			t.Fatalf("item %d: abandoned: %v, %v", i, left, err)
		}
		i++
	}
	if i != 300 {
		t.Fatalf("%d items", i)
	}
}
