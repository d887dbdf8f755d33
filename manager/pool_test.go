package manager_test

import (
	"context"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// countUp adds 1 to an unprotected pair of values, n times, with the lock held.
var countUp = task.Define("countUp", func(ctx context.Context, n int) (int, error) {
	lock, err := manager.Lock(ctx, "lock")
	if err != nil {
		return 0, err
	}
	v, err := manager.Value[int](ctx, "count")
	if err != nil {
		return 0, err
	}
	for range n {
		err := lock.Do(ctx, func() error {
			x, err := v.Load(ctx)
			if err != nil {
				return err
			}
			return v.Store(ctx, x+1)
		})
		if err != nil {
			return 0, err
		}
	}
	return v.Load(ctx)
})

func TestLock_ExcludesWorkersFromEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	if _, err := manager.NewLock(b.m, "lock"); err != nil {
		t.Fatal(err)
	}
	count, err := manager.NewValue(b.m, "count", 0)
	if err != nil {
		t.Fatal(err)
	}
	const workers, times = 3, 200
	var all []*pool.Future[int]
	for range workers {
		f, err := pool.Submit(b.ctx, b.p, countUp, times)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	for _, f := range all {
		if _, err := f.Result(b.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := count.Load(b.ctx); n != workers*times || err != nil {
		t.Errorf("counted to %d, %v; want %d", n, err, workers*times)
	}
}

// openLock opens a lock by its name.
var openLock = task.Define("openLock", func(ctx context.Context, name string) (int, error) {
	_, err := manager.Lock(ctx, name)
	return 0, err
})

// What a worker hears of a name names it once, whoever has found out.
func TestOpen_NamesTheObjectOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m := manager.New()
	defer m.Close()
	for _, given := range []*manager.Manager{m, nil} {
		p, err := pool.New(ctx, pool.Config{Workers: 1, Manager: given})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Call(ctx, p, openLock, "nowhere"); err == nil || strings.Count(err.Error(), `lock "nowhere"`) != 1 {
			t.Errorf("got %v", err)
		}
		p.Shutdown(ctx)
	}
}
