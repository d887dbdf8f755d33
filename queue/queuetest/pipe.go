package queuetest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/feac4032/multiproc/queue"
)

// pipe opens a pipe of strings.
func pipe(b *bench) (x, y *queue.End[string]) {
	p, q := b.OpenPipe()
	return queue.OverEnd[string](p, queue.Named("p")), queue.OverEnd[string](q, queue.Named("p"))
}

// receive wants an end to get these messages.
func receive(b *bench, e *queue.End[string], want ...string) {
	b.Helper()
	for _, w := range want {
		got, err := e.Get(b.ctx)
		must(b, err)
		if got != w {
			b.Fatalf("got %q, want %q", got, w)
		}
	}
}

func pipeBothWays(b *bench) {
	x, y := pipe(b)
	must(b, x.Put(b.ctx, "ping"))
	must(b, y.TryPut(b.ctx, "cross"))
	receive(b, y, "ping")
	receive(b, x, "cross")
	answer := background(b, func() error {
		v, err := y.Get(b.ctx)
		if err != nil {
			return err
		}
		return y.Put(b.ctx, v+"!")
	})
	must(b, x.Put(b.ctx, "hello"))
	receive(b, x, "hello!")
	must(b, answer())
	if v, err := x.TryGet(b.ctx); !errors.Is(err, queue.ErrEmpty) {
		b.Errorf("TryGet = %q, %v, want ErrEmpty", v, err)
	}
}

func pipeMessages(b *bench) {
	p, q := b.OpenPipe()
	sizes := []int{0, 1, 0, 0, 70_000, 1 << 20, 0}
	putter := background(b, func() error {
		for _, n := range sizes {
			if _, err := p.PutBatch(b.ctx, [][]byte{make([]byte, n)}); err != nil {
				return err
			}
		}
		return nil
	})
	for i, want := range sizes {
		dst := make([][]byte, 1)
		if n, err := q.GetBatch(b.ctx, dst); n != 1 || err != nil {
			b.Fatalf("GetBatch = %d, %v", n, err)
		}
		if len(dst[0]) != want {
			b.Fatalf("message %d has %d bytes, want %d", i, len(dst[0]), want)
		}
	}
	must(b, putter())
}

func pipeEOF(b *bench) {
	x, y := pipe(b)
	must(b, x.Put(b.ctx, "one"))
	must(b, x.Put(b.ctx, ""))
	must(b, x.Close())
	must(b, x.Close())
	receive(b, y, "one", "")
	for range 2 {
		if _, err := y.Get(b.ctx); err != io.EOF {
			b.Errorf("Get of a drained pipe: %v, want io.EOF itself", err)
		}
		if _, err := y.TryGet(b.ctx); err != io.EOF {
			b.Errorf("TryGet of a drained pipe: %v, want io.EOF itself", err)
		}
	}
}

func pipeLost(b *bench) {
	x, y := pipe(b)
	must(b, y.Put(b.ctx, "dropped"))
	must(b, x.Close())
	if err := refused(b, func() error { return y.Put(b.ctx, "late") }); !errors.Is(err, queue.ErrLost) {
		b.Errorf("Put to an end that was closed: %v, want ErrLost", err)
	}
	if err := refused(b, func() error { return x.Put(b.ctx, "late") }); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Put to the own end after Close: %v, want ErrClosed", err)
	}
	if _, err := x.Get(b.ctx); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Get after Close: %v, want ErrClosed", err)
	}
}

func pipeCloseWakes(b *bench) {
	x, y := pipe(b)
	get := func(e *queue.End[string]) func() error {
		return background(b, func() error { _, err := e.Get(b.ctx); return err })
	}
	own, other := get(x), get(y)
	must(b, x.Close())
	if err := own(); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Get of the end that was closed: %v, want ErrClosed", err)
	}
	if err := other(); err != io.EOF {
		b.Errorf("Get of the other end: %v, want io.EOF", err)
	}
}

func pipeAll(b *bench) {
	x, y := pipe(b)
	putter := background(b, func() error {
		for range 50 {
			if err := x.Put(b.ctx, "v"); err != nil {
				return err
			}
		}
		return x.Close()
	})
	n := 0
	for v, err := range y.All(b.ctx) {
		must(b, err)
		if v != "v" {
			b.Errorf("got %q", v)
		}
		n++
	}
	must(b, putter())
	if n != 50 {
		b.Errorf("%d messages came, want 50", n)
	}
}

func pipeCancelledGet(b *bench) {
	x, y := pipe(b)
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Millisecond)
	defer cancel()
	if _, err := y.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("Get of an empty pipe: %v, want DeadlineExceeded", err)
	}
	must(b, x.Put(b.ctx, "one"))
	receive(b, y, "one")
}
