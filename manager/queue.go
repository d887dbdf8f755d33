package manager

import (
	"context"
	"reflect"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/queue"
)

// OpenOption says more about an object that is opened.
type OpenOption func(*opening)

type opening struct {
	size  int
	sized bool
}

func openingOf(opts []OpenOption) (o opening) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Sized says how large the object has to be: the items that a queue holds (0 = no
// bound but memory), the permits of a semaphore, the parties of a barrier, the
// cells of an array. Another size is ErrMismatch. It is also the size of what is
// made by being opened, see [Lax]; without it a semaphore has 1 permit, and a
// queue no bound.
func Sized(n int) OpenOption {
	return func(o *opening) { o.size, o.sized = n, true }
}

func request(kind, name, typ string, size int, opts []OpenOption) *remote.OpenRequest {
	r := &remote.OpenRequest{Kind: kind, Name: name, Type: typ, Size: int64(size)}
	if o := openingOf(opts); o.sized {
		r.Size, r.Sized = int64(o.size), true
	}
	return r
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }

// QueueOption is an optional property of a joinable queue.
type QueueOption func(*leasing)

// leasing is what becomes of items whose owners end.
type leasing struct {
	deliveries int
	onPoisoned func(queue.Poisoned)
}

// MaxDeliveries is how many owners may end with an item leased before the queue
// gives it up; 2 without it.
func MaxDeliveries(n int) QueueOption {
	return func(l *leasing) { l.deliveries = n }
}

// OnPoisoned is told of items that are given up. It must not block.
func OnPoisoned(f func(queue.Poisoned)) QueueOption {
	return func(l *leasing) { l.onPoisoned = f }
}

// NewQueue makes a queue that holds up to n items; with n ≤ 0 only
// queue.MemoryLimit bounds it. Errors: ErrExists; ErrRemoved of a closed manager;
// a name that is none.
func NewQueue[T any](m *Manager, name string, n int) (*queue.Queue[T], error) {
	ref, err := m.create(request(remote.KindQueue, name, typeName[T](), n, nil), build)
	if err != nil {
		return nil, err
	}
	return queue.Over[T](remote.NewQueue(ref), queue.Named(name)), nil
}

// Queue opens a queue. It takes a round trip to the supervisor. Errors:
// ErrNotFound, ErrMismatch, ErrNoManager, ErrLost, that of ctx.
func Queue[T any](ctx context.Context, name string, opts ...OpenOption) (*queue.Queue[T], error) {
	ref, err := open(ctx, request(remote.KindQueue, name, typeName[T](), 0, opts))
	if err != nil {
		return nil, err
	}
	return queue.Over[T](remote.NewQueue(ref), queue.Named(name)), nil
}

// NewJoinable makes a joinable queue, as NewQueue does.
func NewJoinable[T any](m *Manager, name string, n int, opts ...QueueOption) (*queue.Joinable[T], error) {
	ref, err := m.create(request(remote.KindJoinable, name, typeName[T](), n, nil), func(r *remote.OpenRequest) (built, error) {
		var l leasing
		for _, o := range opts {
			o(&l)
		}
		b, err := build(r)
		q := b.parts[0].(*broker.Queue)
		if l.deliveries > 0 {
			q.MaxDeliveries = l.deliveries
		}
		q.OnPoison = l.onPoisoned
		return b, err
	})
	if err != nil {
		return nil, err
	}
	return queue.OverJoinable[T](remote.NewQueue(ref), queue.Named(name)), nil
}

// Joinable opens a joinable queue, as Queue does.
func Joinable[T any](ctx context.Context, name string, opts ...OpenOption) (*queue.Joinable[T], error) {
	ref, err := open(ctx, request(remote.KindJoinable, name, typeName[T](), 0, opts))
	if err != nil {
		return nil, err
	}
	return queue.OverJoinable[T](remote.NewQueue(ref), queue.Named(name)), nil
}

// NewSimple makes a simple queue, as NewQueue does.
func NewSimple[T any](m *Manager, name string) (*queue.Simple[T], error) {
	ref, err := m.create(request(remote.KindSimple, name, typeName[T](), 0, nil), build)
	if err != nil {
		return nil, err
	}
	return queue.OverSimple[T](remote.NewQueue(ref), queue.Named(name)), nil
}

// Simple opens a simple queue, as Queue does.
func Simple[T any](ctx context.Context, name string) (*queue.Simple[T], error) {
	ref, err := open(ctx, request(remote.KindSimple, name, typeName[T](), 0, nil))
	if err != nil {
		return nil, err
	}
	return queue.OverSimple[T](remote.NewQueue(ref), queue.Named(name)), nil
}

// NewPipe makes a pipe of messages, and returns its ends; errors are as for
// NewQueue. An end that was used by workers is closed when the last of these has
// ended.
func NewPipe[T any](m *Manager, name string) (a, b *queue.End[T], err error) {
	ref, err := m.create(request(remote.KindPipe, name, typeName[T](), 0, nil), build)
	if err != nil {
		return nil, nil, err
	}
	a, b = ends[T](ref)
	return a, b, nil
}

// Pipe opens a pipe and returns its ends, as Queue does.
func Pipe[T any](ctx context.Context, name string) (a, b *queue.End[T], err error) {
	ref, err := open(ctx, request(remote.KindPipe, name, typeName[T](), 0, nil))
	if err != nil {
		return nil, nil, err
	}
	a, b = ends[T](ref)
	return a, b, nil
}

func ends[T any](ref remote.Ref) (a, b *queue.End[T]) {
	other := ref
	other.ID, other.Peer = ref.Peer, ref.ID
	return queue.OverEnd[T](remote.NewPipeEnd(ref), queue.Named(ref.Name)),
		queue.OverEnd[T](remote.NewPipeEnd(other), queue.Named(ref.Name))
}
