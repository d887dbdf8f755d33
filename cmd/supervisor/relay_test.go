package main

import (
	"context"
	"fmt"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/task"
)

// The tasks of the scripts about named objects: the test is its own worker.

// relay says which objects a job uses, and how many items it puts or takes.
type relay struct {
	Queue string `msgpack:"queue"`
	Lock  string `msgpack:"lock"`
	Items int    `msgpack:"items"`
}

var _ = task.Define("relay-put", func(ctx context.Context, r relay) (int, error) {
	q, err := manager.Queue[int](ctx, r.Queue)
	if err != nil {
		return 0, err
	}
	for i := range r.Items {
		if err := q.Put(ctx, i+1); err != nil {
			return i, err
		}
	}
	return r.Items, nil
})

var _ = task.Define("relay-take", func(ctx context.Context, r relay) (sum int, err error) {
	q, err := manager.Queue[int](ctx, r.Queue)
	if err != nil {
		return 0, err
	}
	lock, err := manager.Lock(ctx, r.Lock)
	if err != nil {
		return 0, err
	}
	err = lock.Do(ctx, func() error {
		for range r.Items {
			n, err := q.Get(ctx)
			if err != nil {
				return err
			}
			sum += n
		}
		return nil
	})
	return sum, err
})

// relay-keep returns while it holds a lock; relay-next says who did.
var _ = task.Define("relay-keep", func(ctx context.Context, r relay) (struct{}, error) {
	lock, err := manager.Lock(ctx, r.Lock)
	if err == nil {
		_, err = lock.Acquire(ctx)
	}
	return struct{}{}, err
})

var _ = task.Define("relay-next", func(ctx context.Context, r relay) (string, error) {
	lock, err := manager.Lock(ctx, r.Lock)
	if err != nil {
		return "", err
	}
	held, err := lock.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer held.Release()
	if held.Abandoned == nil {
		return "clean", nil
	}
	return fmt.Sprintf("abandoned by job %s", held.Abandoned.Job), nil
})
