package queue_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/queue"
)

func TestOver_LinkIsABackend(t *testing.T) {
	t.Parallel()
	r, w := pipeEnds(t)
	put, get := queue.Over[string](ipc.NewLink(nil, w)), queue.Over[string](ipc.NewLink(r, nil))
	defer get.Close()
	for _, v := range []string{"one", ""} {
		if err := put.Put(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if got, err := get.Get(t.Context()); err != nil || got != v {
			t.Errorf("got %q, %v, want %q", got, err, v)
		}
	}
	if _, err := get.Len(t.Context()); !errors.Is(err, queue.ErrUnsupported) {
		t.Errorf("Len: %v", err)
	}
	if err := get.Shutdown(); !errors.Is(err, queue.ErrUnsupported) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := put.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := get.Get(t.Context()); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Get after Close: %v", err)
	}
}

func TestOver_LinkThatEndsInsideAnItemIsLost(t *testing.T) {
	t.Parallel()
	q := queue.Over[string](ipc.NewLink(strings.NewReader("\x00\x00\x00\x04\xa3on"), nil))
	if _, err := q.Get(t.Context()); !errors.Is(err, queue.ErrLost) {
		t.Errorf("Get: %v, want ErrLost", err)
	}
}

// TestOver_TakenIsPut: a backend may take an item and then find that the context
// has ended.
func TestOver_TakenIsPut(t *testing.T) {
	t.Parallel()
	if err := queue.Over[int](takesAnyway{}).Put(t.Context(), 1); err != nil {
		t.Errorf("Put of an item that was taken: %v", err)
	}
}

type takesAnyway struct{ queue.Backend }

func (takesAnyway) PutBatch(_ context.Context, msgs [][]byte) (int, error) {
	return len(msgs), context.Canceled
}
