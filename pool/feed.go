package pool

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// linger is how long an item waits for others that would make a chunk with it,
// while a worker could take it.
const linger = 500 * time.Microsecond

// feed is what the goroutine of the input has.
type feed[In any] struct {
	mu     sync.Mutex // held while the input's yield runs
	open   *chunk[In] // not yet full
	timer  *time.Timer
	hungry atomic.Bool // somebody wanted to send open while mu was held

	produced int   // items taken from the input, and the token for the next
	seen     int64 // what was read of released
}

// encodeFrames begin the names of the functions that call encoding methods of the
// user.
const encodeFrames = "github.com/feac4032/multiproc/task."

// inputPanic is the panic of an input on its way to the loop.
type inputPanic struct {
	value any
	stack []byte
}

func (e *inputPanic) Error() string {
	return fmt.Sprintf("panic in the input: %v\n\n%s", e.value, e.stack)
}

func (e *inputPanic) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// read runs the input.
func (m *mapper[In, Out]) read() {
	returned := false
	defer func() {
		v := recover()
		m.feed.mu.Lock()
		m.send()
		if m.feed.timer != nil {
			m.feed.timer.Stop()
		}
		m.feed.mu.Unlock()
		m.mu.Lock()
		m.ended = true
		switch {
		case v != nil:
			m.thrown = &inputPanic{v, debug.Stack()}
		case !returned:
			m.exited = true
		}
		m.mu.Unlock()
		signal(m.wake)
	}()
	if m.token() {
		m.in(m.put)
	}
	returned = true
}

// put is the input's yield.
func (m *mapper[In, Out]) put(v In) bool {
	f := &m.feed
	f.mu.Lock()
	if m.stopped.Load() {
		f.mu.Unlock()
		return false
	}
	m.add(v)
	if f.hungry.Load() {
		f.hungry.Store(false)
		m.send()
	}
	f.mu.Unlock()
	if f.hungry.Load() { // since
		m.flush()
	}
	return m.token()
}

// add puts an item into the open chunk. The caller holds feed.mu.
func (m *mapper[In, Out]) add(v In) {
	f := &m.feed
	c := f.open
	if c == nil {
		c = m.begin(f.produced - 1)
	}
	before := len(c.buf)
	if err := m.encode(c, v); err != nil {
		c.buf = c.buf[:before]
		m.send()
		m.fail(f.produced-1, v, err)
		return
	}
	if len(c.buf) > ipc.MaxInline && c.n > 0 {
		// Rather two chunks than one that does not travel inline.
		arg := c.buf[before:]
		c.buf = c.buf[:before]
		d := m.begin(f.produced - 1)
		d.buf = append(d.buf, arg...)
		f.open = c
		m.send()
		c = d
	}
	f.open = c
	c.n++
	if m.unordered {
		c.ins = append(c.ins, v)
	}
	switch {
	case c.n >= int(m.pace.target.Load()) || len(c.buf) >= ipc.MaxInline:
		m.send()
	case c.n == 1:
		m.await()
	}
}

// begin makes an empty chunk.
func (m *mapper[In, Out]) begin(index int) *chunk[In] {
	m.mu.Lock()
	b := m.buffer()
	var ins []In
	if n := len(m.spareIns); n > 0 {
		ins = m.spareIns[n-1]
		m.spareIns = m.spareIns[:n-1]
	}
	m.mu.Unlock()
	return &chunk[In]{index: index, buf: append(b, 0, 0, 0), ins: ins}
}

// encode appends an argument. An encoding method of the user that panics is the
// error of its item: there is nobody else on this goroutine who would know it.
func (m *mapper[In, Out]) encode(c *chunk[In], v In) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("encode: %w", task.NewPanicError(p, encodeFrames))
		}
	}()
	c.buf, err = m.t.EncodeIn(c.buf, v)
	return err
}

// fail ends an item that cannot be sent.
func (m *mapper[In, Out]) fail(index int, v In, err error) {
	c := &chunk[In]{index: index, n: 1, shared: true, err: fmt.Errorf("%s: %w", m.name(index), err)}
	if m.unordered {
		c.ins = []In{v}
	}
	m.mu.Lock()
	m.link(c, nil)
	m.finish(c)
	m.mu.Unlock()
}

// send gives the open chunk to the pool, if there is one. The caller holds feed.mu.
func (m *mapper[In, Out]) send() {
	f := &m.feed
	c := f.open
	f.open = nil
	if c == nil || c.n == 0 || m.stopped.Load() {
		return
	}
	m.mu.Lock()
	m.link(c, nil)
	m.inflight++
	m.mu.Unlock()
	m.run(c, 0)
}

// flush sends the open chunk as it is, because a worker has nothing to do. If the
// input is just calling yield, it does that.
func (m *mapper[In, Out]) flush() {
	f := &m.feed
	f.hungry.Store(true)
	for f.hungry.Load() && f.mu.TryLock() {
		if f.hungry.Swap(false) {
			m.send()
		}
		f.mu.Unlock()
	}
}

// await sees to it that the open chunk does not wait for ever for an input that
// blocks. The caller holds feed.mu.
func (m *mapper[In, Out]) await() {
	f := &m.feed
	if f.timer == nil {
		f.timer = time.AfterFunc(linger, m.lingered)
		return
	}
	f.timer.Reset(linger)
}

func (m *mapper[In, Out]) lingered() {
	f := &m.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.open == nil || m.stopped.Load():
	case m.busy():
		f.timer.Reset(linger)
	default:
		m.send()
	}
}

// busy reports whether all workers have work for a while.
func (m *mapper[In, Out]) busy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inflight >= 2*m.workers
}

// token waits until one more item may be alive. It reports false when none is
// wanted any more.
func (m *mapper[In, Out]) token() bool {
	f := &m.feed
	if int64(f.produced)-f.seen >= m.pace.limit.Load() && !m.waitForRoom() {
		return false
	}
	f.produced++
	return true
}

func (m *mapper[In, Out]) waitForRoom() bool {
	f := &m.feed
	short := func() bool {
		f.seen = m.released.Load()
		return int64(f.produced)-f.seen >= m.pace.limit.Load()
	}
	if !short() {
		return true
	}
	if !m.busy() {
		m.flush()
	}
	m.starved.Store(true)
	defer m.starved.Store(false)
	for short() {
		select {
		case <-m.room:
		case <-m.quit:
			return false
		}
	}
	return true
}
