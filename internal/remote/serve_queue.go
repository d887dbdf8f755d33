package remote

import (
	"bytes"

	"github.com/feac4032/multiproc/internal/broker"
)

// putter is a queue, or an end of a pipe.
type putter interface {
	Put(t *broker.Ticket, item []byte)
	TryPut(item []byte) (bool, error)
}

type getter interface {
	Get(t *broker.Ticket)
	TryGetBatch(dst [][]byte) (int, error)
}

// keep returns bytes that outlive the message that is being served.
func (c *call) keep(p []byte) []byte {
	if c.owned {
		return p
	}
	return bytes.Clone(p)
}

func (s *Session) queuePut(c *call) {
	n := c.array()
	if n < 3 {
		c.fail()
		return
	}
	c.object = c.uint()
	who, mode := c.uint(), c.uint()
	if c.checkMode(mode); c.id == 0 {
		s.post(c, n-3)
		return
	}
	if n == 3 {
		s.flush(c, who)
		return
	}
	item := c.bin()
	if n != 4 {
		c.fail()
	}
	if q, ok := target[*broker.Queue](s, c, who); ok {
		s.put(c, who, mode, item, q)
	}
}

func (s *Session) pipePut(c *call) {
	c.arrayOf(4)
	c.object = c.uint()
	who, mode := c.uint(), c.uint()
	if c.checkMode(mode); c.id == 0 {
		s.post(c, 1)
		return
	}
	item := c.bin()
	if e, ok := target[*broker.PipeEnd](s, c, who); ok {
		s.put(c, who, mode, item, e)
	}
}

// How a put call deals with a queue that is full.
const (
	putNow   = 0 // not at all
	putWait  = 1 // it waits for room, until it is cancelled, or its process ends
	putStays = 2 // it waits as a post does: nothing withdraws it
)

// checkMode refuses what is no mode, and a post that would have to be answered.
func (c *call) checkMode(mode uint64) {
	if mode > putStays || c.id == 0 && mode != putStays {
		c.fail()
	}
}

// put serves a call that puts one item. It is answered once the item is in the
// queue, and with it all that were posted before.
func (s *Session) put(c *call, who, mode uint64, item []byte, q putter) {
	o, err := s.owner(who)
	if err != nil {
		s.refuse(c, who, err)
		return
	}
	item = c.keep(item)
	ok, err := q.TryPut(item)
	switch {
	case err != nil:
		s.refuse(c, who, err)
	case ok:
		s.answer(c, done)
	case mode == putNow:
		s.refuse(c, who, broker.ErrFull)
	case mode == putStays:
		s.postLater(c, q, item)
	default:
		s.ask(c, o, func(t *broker.Ticket) { q.Put(t, item) }, granted)
	}
}

// post puts items that nobody waits for. If there is no room they stand in the
// line of putters, so that only who puts into this queue is held back; how much
// of that there can be, the worker keeps to.
func (s *Session) post(c *call, n int) {
	rest := c.scanner
	for range n {
		rest.bin()
	}
	if !rest.done() {
		c.fail()
		return
	}
	obj, err := s.object(c.object)
	if err != nil {
		s.refuse(c, 0, err)
		return
	}
	q, ok := obj.(putter)
	if !ok {
		s.refuse(c, 0, broker.ErrMismatch)
		return
	}
	for range n {
		item := c.keep(c.bin())
		if ok, err := q.TryPut(item); err != nil {
			s.refuse(c, 0, err)
			c.b = nil
			return
		} else if !ok {
			s.postLater(c, q, item)
		}
	}
}

// posted is an item that waits for room, and whose producer does not wait.
type posted struct {
	broker.Ticket
	s      *Session
	id     uint64   // of the call to answer, 0 for none
	after  []uint64 // calls that wait only for what was posted before
	object uint64
	bytes  int
}

func (s *Session) postLater(c *call, q putter, item []byte) {
	p := &posted{s: s, id: c.id, object: c.object, bytes: len(item) + itemCost}
	p.Settled = p.settled
	s.mu.Lock()
	s.tails[c.object] = p
	s.posted += p.bytes
	if p.id != 0 {
		s.later++
	}
	if s.posted > maxPosted {
		c.fail()
	}
	s.mu.Unlock()
	q.Put(&p.Ticket, item)
}

func (p *posted) settled(*broker.Ticket) {
	p.s.mu.Lock()
	p.s.posted -= p.bytes
	if p.id != 0 {
		p.s.later--
	}
	if p.s.tails[p.object] == p {
		delete(p.s.tails, p.object)
	}
	p.s.later -= len(p.after) // which nobody adds to any more
	over := p.s.over
	p.s.mu.Unlock()
	if over {
		return
	}
	c := &call{id: p.id, object: p.object}
	p.s.settle(c, 0, p.Err)
	for _, id := range p.after {
		p.s.send(Reply{ID: id, Payload: done})
	}
}

// flush serves a put of nothing: it is answered once all that was posted to the
// queue before is in it, or was refused.
func (s *Session) flush(c *call, who uint64) {
	if _, ok := target[*broker.Queue](s, c, who); !ok {
		return
	}
	s.mu.Lock()
	p := s.tails[c.object]
	if p != nil {
		p.after = append(p.after, c.id)
		s.later++
	}
	s.mu.Unlock()
	if p == nil {
		s.answer(c, done)
	}
}

func (s *Session) queueGet(c *call) { serveGet[*broker.Queue](s, c) }

func (s *Session) pipeGet(c *call) { serveGet[*broker.PipeEnd](s, c) }

// serveGet answers with the items that there are, one at least, or waits for one.
func serveGet[Q getter](s *Session, c *call) {
	who := c.head(4)
	wait, most := c.bool(), c.uint()
	q, o, ok := targetOf[Q](s, c, who)
	if !ok {
		return
	}
	var one [1][]byte
	switch n, err := q.TryGetBatch(one[:]); {
	case err != nil:
		s.refuse(c, who, err)
	case n == 1:
		s.answer(c, more(q, one[0], most))
	case !wait:
		s.refuse(c, who, broker.ErrEmpty)
	default:
		s.ask(c, o, q.Get, func(r *request) []byte { return more(q, r.Item, most) })
	}
}

// more encodes an item and those behind it, most in all.
func more(q getter, first []byte, most uint64) []byte {
	if most <= 1 {
		return appendBin(appendArray(make([]byte, 0, len(first)+8), 1), first)
	}
	items := append(make([][]byte, 0, 64), first)
	size := len(first)
	var one [1][]byte
	for len(items) < int(min(most, getBatch)) && size < getBatchBytes {
		// What comes at the end of the queue comes again.
		if n, err := q.TryGetBatch(one[:]); n == 0 || err != nil {
			break
		}
		items = append(items, one[0])
		size += len(one[0])
	}
	b := appendArray(make([]byte, 0, size+5*len(items)+5), len(items))
	for _, item := range items {
		b = appendBin(b, item)
	}
	return b
}

func (s *Session) queueLease(c *call) {
	who := c.head(3)
	wait := c.bool()
	q, o, ok := targetOf[*broker.Queue](s, c, who)
	if !ok {
		return
	}
	switch l, ok, err := q.TryLease(o); {
	case err != nil:
		s.refuse(c, who, err)
	case ok:
		s.answer(c, leasePayload(l))
	case !wait:
		s.refuse(c, who, broker.ErrEmpty)
	default:
		s.ask(c, o, q.Lease, func(r *request) []byte {
			return leasePayload(broker.Leased{Item: r.Item, Lease: r.Lease, Delivery: r.Delivery})
		})
	}
}

func leasePayload(l broker.Leased) []byte {
	b := appendBin(appendArray(make([]byte, 0, len(l.Item)+24), 3), l.Item)
	return appendInt(appendUint(b, l.Lease), int64(l.Delivery))
}

func (s *Session) queueDone(c *call) {
	who := c.head(3)
	lease := c.uint()
	if q, o, ok := targetOf[*broker.Queue](s, c, who); ok {
		s.settle(c, who, q.Done(o, lease))
	}
}

func (s *Session) queueReturn(c *call) {
	who := c.head(3)
	lease := c.uint()
	if q, o, ok := targetOf[*broker.Queue](s, c, who); ok {
		s.settle(c, who, q.Return(o, lease))
	}
}

func (s *Session) queueTaskDone(c *call) {
	who := c.head(2)
	if q, o, ok := targetOf[*broker.Queue](s, c, who); ok {
		s.settle(c, who, q.TaskDone(o))
	}
}

func (s *Session) queueJoin(c *call) {
	who := c.head(2)
	if q, o, ok := targetOf[*broker.Queue](s, c, who); ok {
		s.ask(c, o, q.Join, granted)
	}
}

func (s *Session) queueState(c *call) {
	if q, ok := target[*broker.Queue](s, c, c.head(2)); ok {
		b := appendBool(appendInt(appendArray(nil, 3), int64(q.Len())), q.Full())
		s.answer(c, appendInt(b, int64(q.Unfinished())))
	}
}

func (s *Session) queueClose(c *call) {
	if q, ok := target[*broker.Queue](s, c, c.head(2)); ok {
		q.Close()
		s.answer(c, done)
	}
}

func (s *Session) queueShutdown(c *call) {
	if q, ok := target[*broker.Queue](s, c, c.head(2)); ok {
		q.Shutdown()
		s.answer(c, done)
	}
}

// pipeHold notes that the process has this end. With its own end it gives it up.
func (s *Session) pipeHold(c *call) {
	e, ok := target[*broker.PipeEnd](s, c, c.head(2))
	if !ok {
		return
	}
	s.mu.Lock()
	held := s.ends[c.object] != nil
	if !held {
		s.dropEnds()
		s.ends[c.object] = e
	}
	s.mu.Unlock()
	if !held {
		e.Retain()
	}
}

// dropEnds forgets ends of pipes that were removed, whenever there are twice as many
// as after the last time: a process may get new ones for as long as it lives. The
// caller holds mu.
func (s *Session) dropEnds() {
	if len(s.ends) < s.crowd {
		return
	}
	for id := range s.ends {
		if _, err := s.object(id); err != nil {
			delete(s.ends, id)
		}
	}
	s.crowd = 2*len(s.ends) + 64
}

func (s *Session) pipeClose(c *call) {
	if e, ok := target[*broker.PipeEnd](s, c, c.head(2)); ok {
		e.Close()
		s.answer(c, done)
	}
}
