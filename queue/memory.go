package queue

import (
	"bytes"
	"context"
	"sync"
)

// MemoryLimit is how many bytes of encoded items a queue in memory holds, each
// counted with 64 bytes on top. A queue that has reached it is full. An item
// always fits into an empty queue.
const MemoryLimit = 256 << 20

// itemOverhead is what a queued item costs beside its bytes, so that a queue of
// tiny items is bounded too.
const itemOverhead = 64

// Memory is the backend of queues within one process, and of those that a
// process serves to others. It is safe for any number of callers, and has all
// the abilities of a backend.
type Memory struct {
	max   int // items, ≤ 0 = not bounded
	limit int // bytes

	mu      sync.Mutex
	items   ring
	bytes   int
	closed  bool
	putters line[*waiter] // not empty only while the queue is full
	getters line[*waiter] // not empty only while the queue is empty
}

// waiter is a put that waits for room or a get that waits for a message. Who
// takes it out of its line settles it, under the lock, and then signals woken.
type waiter struct {
	place[*waiter]
	msg   []byte
	err   error
	woken chan struct{}
}

func newWaiter(msg []byte) *waiter {
	w := &waiter{msg: msg, woken: make(chan struct{}, 1)}
	w.who = w
	return w
}

func (w *waiter) settle(msg []byte, err error) {
	w.msg, w.err = msg, err
	w.woken <- struct{}{}
}

// NewMemory returns a queue of up to n messages; n ≤ 0 leaves MemoryLimit as the
// only bound.
func NewMemory(n int) *Memory { return &Memory{max: n, limit: MemoryLimit} }

func (m *Memory) fits(msg []byte) bool {
	n := m.items.len()
	return n == 0 || (m.max <= 0 || n < m.max) && m.bytes+len(msg)+itemOverhead <= m.limit
}

// accept takes a message that fits.
func (m *Memory) accept(msg []byte) {
	if g := m.getters.head; g != nil {
		m.getters.remove(g)
		g.who.settle(msg, nil)
		return
	}
	m.items.push(msg)
	m.bytes += len(msg) + itemOverhead
}

// admit lets the putters in that there is room for now, in their order.
func (m *Memory) admit() {
	for p := m.putters.head; p != nil && m.fits(p.who.msg); p = m.putters.head {
		m.putters.remove(p)
		m.accept(p.who.msg)
		p.who.settle(nil, nil)
	}
}

func (m *Memory) take() []byte {
	msg := m.items.pop()
	m.bytes -= len(msg) + itemOverhead
	return msg
}

// PutBatch implements Backend. The messages are copied.
func (m *Memory) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	for i, msg := range msgs {
		if err := m.put(ctx, msg); err != nil {
			return i, err
		}
	}
	return len(msgs), nil
}

func (m *Memory) put(ctx context.Context, msg []byte) error {
	msg, err := m.snapshot(ctx, msg)
	if err != nil {
		return err
	}
	m.mu.Lock()
	if taken, err := m.offer(msg); taken || err != nil {
		m.mu.Unlock()
		return err
	}
	w := newWaiter(msg)
	m.putters.push(&w.place)
	m.mu.Unlock()
	return m.wait(ctx, w, &m.putters)
}

// snapshot copies a message before the lock is taken.
func (m *Memory) snapshot(ctx context.Context, msg []byte) ([]byte, error) {
	if len(msg) > MaxItem {
		return nil, tooLarge(len(msg))
	}
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	return bytes.Clone(msg), nil
}

// offer takes a message if there is room and nobody waits for it.
func (m *Memory) offer(msg []byte) (bool, error) {
	if m.closed {
		return false, ErrClosed
	}
	if !m.putters.empty() || !m.fits(msg) {
		return false, nil
	}
	m.accept(msg)
	return true, nil
}

// wait waits until w is settled, or takes it out of its line when ctx ends
// before.
func (m *Memory) wait(ctx context.Context, w *waiter, in *line[*waiter]) error {
	select {
	case <-w.woken:
		return w.err
	case <-ctx.Done():
	}
	m.mu.Lock()
	if !w.in {
		m.mu.Unlock()
		<-w.woken
		return w.err
	}
	in.remove(&w.place)
	m.admit() // a smaller message may stand behind one that was too big
	m.mu.Unlock()
	return ended(ctx)
}

// TryPutBatch implements TryPutter.
func (m *Memory) TryPutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	for i, msg := range msgs {
		msg, err := m.snapshot(ctx, msg)
		if err != nil {
			return i, err
		}
		m.mu.Lock()
		taken, err := m.offer(msg)
		m.mu.Unlock()
		if !taken {
			return i, err
		}
	}
	return len(msgs), nil
}

// GetBatch implements Backend. The messages are the caller's for good.
func (m *Memory) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	if ctx.Err() != nil {
		return 0, ended(ctx)
	}
	m.mu.Lock()
	if n := m.drain(dst); n > 0 || m.closed {
		m.mu.Unlock()
		if n == 0 {
			return 0, ErrClosed
		}
		return n, nil
	}
	w := newWaiter(nil)
	m.getters.push(&w.place)
	m.mu.Unlock()
	if err := m.wait(ctx, w, &m.getters); err != nil {
		return 0, err
	}
	dst[0] = w.msg
	return 1, nil
}

// TryGetBatch implements TryGetter.
func (m *Memory) TryGetBatch(ctx context.Context, dst [][]byte) (int, error) {
	if ctx.Err() != nil {
		return 0, ended(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.drain(dst)
	if n == 0 && m.closed {
		return 0, ErrClosed
	}
	return n, nil
}

func (m *Memory) drain(dst [][]byte) int {
	n := 0
	for ; n < len(dst) && m.items.len() > 0; n++ {
		dst[n] = m.take()
		m.admit()
	}
	return n
}

// Len implements Lener.
func (m *Memory) Len(context.Context) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.items.len(), nil
}

// Full implements Fuller: it reports whether a put of the smallest message would
// wait. A closed queue is never full: its puts fail at once.
func (m *Memory) Full(context.Context) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.closed && (!m.putters.empty() || !m.fits(nil)), nil
}

// Close implements Closer.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end()
	return nil
}

// Shutdown implements Shutdowner.
func (m *Memory) Shutdown() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items, m.bytes = ring{}, 0
	m.end()
	return nil
}

func (m *Memory) end() {
	m.closed = true
	for _, l := range []*line[*waiter]{&m.putters, &m.getters} {
		for p := l.head; p != nil; p = l.head {
			l.remove(p)
			p.who.settle(nil, ErrClosed)
		}
	}
}
