package manager_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/queue/queuetest"
	"github.com/feac4032/multiproc/task"
)

// opened makes the names of a worker's queues different.
var opened atomic.Int64

// conform checks one behaviour of the queues that a worker has from its
// supervisor, in the worker. It reports false for one that needs more than that.
var conform = task.Define("conform", func(_ context.Context, behaviour string) (bool, error) {
	ctx := context.Background() // without an owner; the link is the process's
	open := func(kind string, size int) remote.Ref {
		name := fmt.Sprintf("%s of %s %d", kind, behaviour, opened.Add(1))
		ref, err := remote.Open(ctx, &remote.OpenRequest{Kind: kind, Name: name, Size: int64(size)})
		if err != nil {
			panic(err)
		}
		return ref
	}
	err := queuetest.Check(ctx, behaviour, queuetest.Harness{
		Open: func(size int) (put, get queue.Backend) {
			q := remote.NewQueue(open(remote.KindQueue, size))
			return q, q
		},
		OpenJoinable: func(size int) (put, get queue.Backend) {
			q := remote.NewQueue(open(remote.KindJoinable, size))
			return q, q
		},
		OpenPipe: func() (a, b queue.Backend) {
			ref := open(remote.KindPipe, 0)
			other := ref
			other.ID, other.Peer = ref.Peer, ref.ID
			return remote.NewPipeEnd(ref), remote.NewPipeEnd(other)
		},
		Exact: true,
	})
	if errors.Is(err, queuetest.ErrSkipped) {
		return false, nil
	}
	return true, err
})

func TestQueues_OfAWorkerConform(t *testing.T) {
	t.Parallel()
	b := setup(t, 2, manager.Lax())
	checked := 0
	for _, behaviour := range queuetest.Behaviours() {
		ok, err := pool.Call(b.ctx, b.p, conform, behaviour)
		if err != nil {
			t.Errorf("%v", err)
		}
		if ok {
			checked++
		}
	}
	if least := len(queuetest.Behaviours()) * 3 / 4; checked < least {
		t.Errorf("%d behaviours were checked, want %d at least", checked, least)
	}
}
