package queuetest

import (
	"errors"

	"github.com/feac4032/multiproc/queue"
)

func simpleQueue(b *bench) {
	p, g := b.Open(0)
	put, get := queue.OverSimple[string](p), queue.OverSimple[string](g)
	empty := func(want bool) {
		b.Helper()
		got, err := get.Empty(b.ctx)
		if errors.Is(err, queue.ErrUnsupported) {
			return
		}
		must(b, err)
		if got != want {
			b.Errorf("Empty = %v, want %v", got, want)
		}
	}
	empty(true)
	for _, v := range []string{"one", ""} {
		must(b, put.Put(b.ctx, v))
	}
	empty(false)
	for _, want := range []string{"one", ""} {
		got, err := get.Get(b.ctx)
		must(b, err)
		if got != want {
			b.Errorf("got %q, want %q", got, want)
		}
	}
	empty(true)
	must(b, put.Close())
	if _, err := get.Get(b.ctx); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Get of a closed queue: %v", err)
	}
	if err := refused(b, func() error { return put.Put(b.ctx, "late") }); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Put after Close: %v", err)
	}
}
