package main

import (
	"context"
	"errors"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/spawn"
)

// guarded is an executor that ends its guardian as well, and so knows what is left of
// all that it has started.
type guarded struct {
	batch.Executor
	guardian *spawn.Guardian
}

// Close implements batch.Executor.
func (x guarded) Close(ctx context.Context) batch.Closing {
	c := x.Executor.Close(ctx)
	err := x.guardian.Close()
	var left *spawn.LeakError
	switch {
	case err == nil:
		c.Leaked, c.Final = nil, true
	case errors.As(err, &left):
		c.Leaked, c.Final = left.PIDs, true
	}
	return c
}
