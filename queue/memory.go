package queue

import (
	"bytes"
	"context"
	"sync"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// MemoryLimit is how many bytes of encoded items a queue in memory holds, those
// that are leased included, each counted with 64 bytes on top. A queue that has
// reached it is full. An item always fits when none is queued, also if all the room
// is leased: it does not bound those who lease on and on and are never done.
const MemoryLimit = broker.MemoryLimit

// Memory is the backend of queues within one process. It is safe for any number
// of callers, and has all the abilities of a backend.
type Memory struct{ q *broker.Queue }

// NewMemory returns a queue of up to n messages; n ≤ 0 leaves MemoryLimit as the
// only bound.
func NewMemory(n int) *Memory { return &Memory{broker.NewQueue("", n)} }

// wait is a call that waits for its ticket.
type wait struct {
	broker.Ticket
	settled chan struct{}        // made for each wait: a channel may not leave its testing/synctest bubble
	signal  func(*broker.Ticket) // bound once
}

var waits = sync.Pool{New: func() any {
	w := new(wait)
	w.signal = func(*broker.Ticket) { w.settled <- struct{}{} }
	return w
}}

func newWait(ctx context.Context) *wait {
	w := waits.Get().(*wait)
	w.settled = make(chan struct{}, 1)
	w.Ticket = broker.Ticket{Owner: owner.From(ctx), Settled: w.signal}
	return w
}

// until waits until w, which was handed in, is settled, or withdraws it when ctx
// ends before.
func (w *wait) until(ctx context.Context) error {
	select {
	case <-w.settled:
	case <-ctx.Done():
		w.Cancel(ended(ctx))
		<-w.settled
	}
	return w.Err
}

// release is called when nobody needs what w brought any more. The end of an
// owner may still reach for a ticket that it once had, which so is not used again.
func (w *wait) release() {
	if w.Owner == nil {
		w.Ticket = broker.Ticket{}
		waits.Put(w)
	}
}

// PutBatch implements Backend. The messages are copied.
func (m *Memory) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	return putAll(ctx, msgs, m.q)
}

// TryPutBatch implements TryPutter.
func (m *Memory) TryPutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	return tryPutAll(ctx, msgs, m.q)
}

// GetBatch implements Backend. The messages are the caller's for good.
func (m *Memory) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	return getSome(ctx, dst, m.q)
}

// TryGetBatch implements TryGetter.
func (m *Memory) TryGetBatch(ctx context.Context, dst [][]byte) (int, error) {
	return tryGetSome(ctx, dst, m.q)
}

// Len implements Lener.
func (m *Memory) Len(context.Context) (int, error) { return m.q.Len(), nil }

// Full implements Fuller: it reports whether a put of the smallest message would
// wait. A closed queue is never full: its puts fail at once.
func (m *Memory) Full(context.Context) (bool, error) { return m.q.Full(), nil }

// Close implements Closer.
func (m *Memory) Close() error {
	m.q.Close()
	return nil
}

// Shutdown implements Shutdowner.
func (m *Memory) Shutdown() error {
	m.q.Shutdown()
	return nil
}

// Lease implements Leaser.
func (m *Memory) Lease(ctx context.Context) (Leased, error) {
	if l, ok, err := m.TryLease(ctx); ok || err != nil {
		return l, err
	}
	w := newWait(ctx)
	defer w.release()
	m.q.Lease(&w.Ticket)
	if err := w.until(ctx); err != nil {
		return Leased{}, err
	}
	return Leased{Item: w.Item, Lease: w.Ticket.Lease, Delivery: w.Delivery}, nil
}

// TryLease implements Leaser.
func (m *Memory) TryLease(ctx context.Context) (Leased, bool, error) {
	if ctx.Err() != nil {
		return Leased{}, false, ended(ctx)
	}
	return m.q.TryLease(owner.From(ctx))
}

// Done implements Leaser.
func (m *Memory) Done(ctx context.Context, lease uint64) error {
	return m.q.Done(owner.From(ctx), lease)
}

// TaskDone implements Leaser.
func (m *Memory) TaskDone(ctx context.Context) error { return m.q.TaskDone(owner.From(ctx)) }

// Return implements Leaser.
func (m *Memory) Return(ctx context.Context, lease uint64) error {
	return m.q.Return(owner.From(ctx), lease)
}

// Join implements Leaser.
func (m *Memory) Join(ctx context.Context) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	w := newWait(ctx)
	defer w.release()
	m.q.Join(&w.Ticket)
	return w.until(ctx)
}

// Unfinished implements Leaser.
func (m *Memory) Unfinished(context.Context) (int, error) { return m.q.Unfinished(), nil }

// messages is a queue or the end of a pipe, in this process.
type messages interface {
	Put(t *broker.Ticket, msg []byte)
	TryPut(msg []byte) (bool, error)
	Get(t *broker.Ticket)
	TryGetBatch(dst [][]byte) (int, error)
}

// putAll puts copies of messages in their order, and waits where it has to.
func putAll(ctx context.Context, msgs [][]byte, to messages) (int, error) {
	for n, msg := range msgs {
		msg, err := snapshot(ctx, msg)
		if err != nil {
			return n, err
		}
		taken, err := to.TryPut(msg)
		if !taken && err == nil {
			w := newWait(ctx)
			to.Put(&w.Ticket, msg)
			err = w.until(ctx)
			w.release()
		}
		if err != nil {
			return n, err
		}
	}
	return len(msgs), nil
}

// tryPutAll is putAll as far as it need not wait.
func tryPutAll(ctx context.Context, msgs [][]byte, to messages) (int, error) {
	for n, msg := range msgs {
		msg, err := snapshot(ctx, msg)
		if err != nil {
			return n, err
		}
		if taken, err := to.TryPut(msg); !taken {
			return n, err
		}
	}
	return len(msgs), nil
}

// snapshot copies a message.
func snapshot(ctx context.Context, msg []byte) ([]byte, error) {
	if len(msg) > MaxItem {
		return nil, tooLarge(len(msg))
	}
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	return bytes.Clone(msg), nil
}

// getSome waits for a message, and takes what is there.
func getSome(ctx context.Context, dst [][]byte, from messages) (int, error) {
	if n, err := tryGetSome(ctx, dst, from); n > 0 || err != nil || len(dst) == 0 {
		return n, err
	}
	w := newWait(ctx)
	defer w.release()
	from.Get(&w.Ticket)
	if err := w.until(ctx); err != nil {
		return 0, err
	}
	dst[0] = w.Item
	return 1, nil
}

// tryGetSome takes what is there.
func tryGetSome(ctx context.Context, dst [][]byte, from messages) (int, error) {
	if ctx.Err() != nil {
		return 0, ended(ctx)
	}
	return from.TryGetBatch(dst)
}
