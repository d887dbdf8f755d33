package remote

import (
	"context"
	"testing"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
)

// short connects a client and a session without a link between them.
type short struct{ *Session }

func (s short) SendCall(id uint64, op string, payload []byte, _ bool) error {
	return s.Call(&ipc.Message{Kind: ipc.KindCall, ID: id, Name: []byte(op), Body: payload})
}

func connected(b *testing.B) (context.Context, *shelf) {
	x := newShelf()
	var c *Client
	s := NewSession(x, x, owner.Identity{}, func(r Reply) {
		if err := c.Reply(&ipc.Message{ID: r.ID, Status: r.Status, Body: r.Payload}); err != nil {
			b.Fatal(err)
		}
	}, nil)
	c = NewClient(short{s}, ipc.MaxMessage)
	ctx := context.WithValue(context.Background(), ipc.CallerKey{}, c)
	return owner.With(ctx, c.JobOwner(1, owner.Identity{Name: "job"})), x
}

// What both ends do for a lock, without the link.
func BenchmarkLock(b *testing.B) {
	ctx, _ := connected(b)
	l := NewLock(Ref{ID: onLock, Kind: KindLock})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Acquire(ctx, true); err != nil {
			b.Fatal(err)
		}
		if err := l.Release(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// And for an item of 64 bytes.
func BenchmarkPut(b *testing.B) {
	ctx, x := connected(b)
	q := NewQueue(Ref{ID: onQueue, Kind: KindQueue})
	items := [][]byte{make([]byte, 64)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := q.PutBatch(ctx, items); err != nil {
			b.Fatal(err)
		}
		if _, ok, err := x.objects[onQueue].(*broker.Queue).TryGet(); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
