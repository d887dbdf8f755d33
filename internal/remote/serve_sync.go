package remote

import (
	"bytes"
	"errors"
	"reflect"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
)

// tried answers an acquire that was tried first. It reports false when the call
// has to wait.
func (s *Session) tried(c *call, who uint64, wait bool, a *owner.Abandoned, err error) bool {
	switch {
	case err == nil:
		s.answer(c, abandonedPayload(a))
	case wait && errors.Is(err, broker.ErrWouldBlock):
		return false
	default:
		s.refuse(c, who, err)
	}
	return true
}

func (s *Session) lockAcquire(c *call) {
	who := c.head(3)
	wait := c.bool()
	l, o, ok := targetOf[*broker.Lock](s, c, who)
	if !ok {
		return
	}
	a, err := l.TryAcquire(o)
	if !s.tried(c, who, wait, a, err) {
		s.ask(c, o, l.Acquire, grantedAbandoned)
	}
}

func (s *Session) lockRelease(c *call) {
	who := c.head(2)
	l, o, ok := targetOf[*broker.Lock](s, c, who)
	if ok {
		_, err := l.Release(o)
		s.settle(c, who, err)
	}
}

func (s *Session) semaphoreAcquire(c *call) {
	who := c.head(4)
	wait, detached := c.bool(), c.bool()
	m, o, ok := targetOf[*broker.Semaphore](s, c, who)
	if !ok {
		return
	}
	a, err := m.TryAcquire(o, detached)
	if !s.tried(c, who, wait, a, err) {
		s.ask(c, o, func(t *broker.Ticket) { m.Acquire(t, detached) }, grantedAbandoned)
	}
}

func (s *Session) semaphoreRelease(c *call) {
	who := c.head(2)
	m, o, ok := targetOf[*broker.Semaphore](s, c, who)
	if ok {
		s.settle(c, who, m.Release(o))
	}
}

func (s *Session) semaphoreValue(c *call) {
	who := c.head(2)
	m, ok := target[*broker.Semaphore](s, c, who)
	if ok {
		s.answer(c, number(m.Value()))
	}
}

func (s *Session) conditionWait(c *call) {
	who := c.head(2)
	d, o, ok := targetOf[*broker.Condition](s, c, who)
	if ok {
		s.ask(c, o, d.Wait, grantedAbandoned)
	}
}

func (s *Session) conditionNotify(c *call) {
	who := c.head(3)
	n := c.int()
	d, o, ok := targetOf[*broker.Condition](s, c, who)
	if ok {
		s.settle(c, who, d.Notify(o, n))
	}
}

func (s *Session) eventSet(c *call) {
	e, ok := target[*broker.Event](s, c, c.head(2))
	if ok {
		e.Set()
		s.answer(c, done)
	}
}

func (s *Session) eventClear(c *call) {
	e, ok := target[*broker.Event](s, c, c.head(2))
	if ok {
		e.Clear()
		s.answer(c, done)
	}
}

func (s *Session) eventIsSet(c *call) {
	e, ok := target[*broker.Event](s, c, c.head(2))
	if ok {
		s.answer(c, flag(e.IsSet()))
	}
}

func (s *Session) eventWait(c *call) {
	e, o, ok := targetOf[*broker.Event](s, c, c.head(2))
	if ok {
		s.ask(c, o, e.Wait, granted)
	}
}

func (s *Session) barrierWait(c *call) {
	b, o, ok := targetOf[*broker.Barrier](s, c, c.head(2))
	if ok {
		s.ask(c, o, b.Wait, func(r *request) []byte { return number(r.Index) })
	}
}

func (s *Session) barrierAbort(c *call) {
	b, ok := target[*broker.Barrier](s, c, c.head(2))
	if ok {
		b.Abort()
		s.answer(c, done)
	}
}

func (s *Session) barrierReset(c *call) {
	b, ok := target[*broker.Barrier](s, c, c.head(2))
	if ok {
		b.Reset()
		s.answer(c, done)
	}
}

func (s *Session) barrierState(c *call) {
	b, ok := target[*broker.Barrier](s, c, c.head(2))
	if ok {
		parties, waiting, broken := b.State()
		p := appendInt(appendInt(appendArray(nil, 3), int64(parties)), int64(waiting))
		s.answer(c, appendBool(p, broken))
	}
}

func (s *Session) cellsLoad(c *call) {
	who := c.head(3)
	i := c.int()
	x, ok := target[*broker.Cells](s, c, who)
	if !ok {
		return
	}
	v, version, err := x.Load(i)
	if err != nil {
		s.refuse(c, who, err)
		return
	}
	s.answer(c, appendUint(appendBin(appendArray(nil, 2), v), version))
}

func (s *Session) cellsStore(c *call) {
	who := c.head(4)
	i, v := c.int(), bytes.Clone(c.bin())
	x, ok := target[*broker.Cells](s, c, who)
	if ok {
		s.settle(c, who, x.Store(i, v))
	}
}

func (s *Session) cellsCompare(c *call) {
	who := c.head(5)
	i, version, v := c.int(), c.uint(), bytes.Clone(c.bin())
	x, ok := target[*broker.Cells](s, c, who)
	if !ok {
		return
	}
	swapped, err := x.CompareAndSwap(i, version, v)
	s.swapped(c, who, swapped, err)
}

func (s *Session) cellsSwap(c *call) {
	who := c.head(5)
	i, old, v := c.int(), c.bin(), bytes.Clone(c.bin())
	x, ok := target[*broker.Cells](s, c, who)
	if !ok {
		return
	}
	swapped, err := x.CompareAndSwapValue(i, old, v)
	s.swapped(c, who, swapped, err)
}

func (s *Session) swapped(c *call, who uint64, swapped bool, err error) {
	if err != nil {
		s.refuse(c, who, err)
		return
	}
	s.answer(c, flag(swapped))
}

func (s *Session) cellsAdd(c *call) {
	who := c.head(5)
	i, kind, delta := c.int(), c.uint(), c.bin()
	x, ok := target[*broker.Cells](s, c, who)
	if !ok {
		return
	}
	if kind > uint64(reflect.UnsafePointer) {
		c.fail()
		return
	}
	v, err := x.Add(i, reflect.Kind(kind), delta)
	if err != nil {
		s.refuse(c, who, err)
		return
	}
	s.answer(c, appendBin(nil, v))
}

func (s *Session) cellsSnapshot(c *call) {
	who := c.head(2)
	x, ok := target[*broker.Cells](s, c, who)
	if !ok {
		return
	}
	values, err := x.Snapshot()
	if err != nil {
		s.refuse(c, who, err)
		return
	}
	size := 0
	for _, v := range values {
		size += len(v)
	}
	if size > ipc.MaxMessage {
		s.refuse(c, who, tooLarge(size))
		return
	}
	b := appendArray(nil, len(values))
	for _, v := range values {
		b = appendBin(b, v)
	}
	s.answer(c, b)
}
