package broker

import "github.com/feac4032/multiproc/internal/owner"

// Leased is an item that was handed out and is not done yet.
type Leased struct {
	Item     []byte
	Lease    uint64 // what Done and Return take; no other lease of the queue has it
	Delivery int    // how often the item was handed out, this time included
}

// taken is an item that was handed out at least once.
type taken struct {
	data   []byte
	seq    uint64 // its place among all that were ever taken, and so among all that were put
	handed int    // how often it was handed out
	deaths int    // how many of these ended with their owner
}

// lease is an item in the hands of an owner.
type lease struct {
	id         uint64
	owner      *owner.Owner
	item       taken
	prev, next *lease // of the same owner, oldest first
}

// holding is what one owner has open, oldest first.
type holding struct{ oldest, newest *lease }

// leases are the open ones of a queue.
type leases struct {
	last  uint64 // id
	bytes int
	byID  map[uint64]*lease
	of    map[*owner.Owner]holding
	spare *lease // the last one that ended: who works through a queue opens and ends one at a time
}

func (s *leases) len() int { return len(s.byID) }

func (s *leases) open(o *owner.Owner, item taken) *lease {
	if s.byID == nil {
		s.byID, s.of = map[uint64]*lease{}, map[*owner.Owner]holding{}
	}
	l := s.spare
	if l == nil {
		l = new(lease)
	}
	s.spare = nil
	s.last++
	*l = lease{id: s.last, owner: o, item: item}
	h := s.of[o]
	if l.prev = h.newest; l.prev != nil {
		l.prev.next = l
	} else {
		h.oldest = l
	}
	h.newest = l
	s.of[o] = h
	s.byID[l.id] = l
	s.bytes += cost(item.data)
	return l
}

// end takes a lease out; what it was for is returned.
func (s *leases) end(l *lease) taken {
	h := s.of[l.owner]
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		h.oldest = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	} else {
		h.newest = l.prev
	}
	if h.oldest == nil {
		delete(s.of, l.owner)
	} else {
		s.of[l.owner] = h
	}
	delete(s.byID, l.id)
	item := l.item
	s.bytes -= cost(item.data)
	*l = lease{}
	s.spare = l
	return item
}

// find returns an open lease of o.
func (s *leases) find(o *owner.Owner, id uint64) (*lease, error) {
	if l := s.byID[id]; l != nil && l.owner == o {
		return l, nil
	}
	return nil, noLease(o)
}

// oldest returns the open lease that o has had for longest.
func (s *leases) oldest(o *owner.Owner) (*lease, error) {
	if l := s.of[o].oldest; l != nil {
		return l, nil
	}
	return nil, noLease(o)
}

func noLease(o *owner.Owner) error {
	switch {
	case o == nil:
		return ErrNoOwner
	case o.Ended():
		return ErrEnded
	}
	return ErrTooManyDone
}

// Lease hands the next item out and keeps it until it is done: t.Item, t.Lease
// and t.Delivery. It needs an owner.
func (q *Queue) Lease(t *Ticket) {
	if t.Owner == nil {
		var out settlements
		out.settle(t, ErrNoOwner)
		out.run()
		return
	}
	q.request(t, &q.lessees)
}

// TryLease is Lease that does not wait: false if there is nothing.
func (q *Queue) TryLease(o *owner.Owner) (Leased, bool, error) {
	if o == nil {
		return Leased{}, false, ErrNoOwner
	}
	q.mu.Lock()
	if q.len() == 0 {
		defer q.mu.Unlock()
		if q.drained(o) {
			return Leased{}, false, q.getErr
		}
		return Leased{}, false, nil
	}
	if !o.Enter(q) {
		q.mu.Unlock()
		return Leased{}, false, ErrEnded
	}
	var out settlements
	item := q.take()
	item.handed++
	l := q.open.open(o, item)
	got := Leased{item.data, l.id, item.handed}
	q.admit(&out)
	q.mu.Unlock()
	out.run()
	return got, true, nil
}

// Done says that the item of a lease was dealt with. A lease that is not open, or
// not the owner's, is ErrTooManyDone.
func (q *Queue) Done(o *owner.Owner, id uint64) error {
	q.mu.Lock()
	l, err := q.open.find(o, id)
	return q.release(l, err, false)
}

// TaskDone is Done of the oldest item that the owner has open. One too many is
// ErrTooManyDone.
func (q *Queue) TaskDone(o *owner.Owner) error {
	q.mu.Lock()
	l, err := q.open.oldest(o)
	return q.release(l, err, false)
}

// Return puts the item of a lease back to the head of the queue, before all that
// were put after it. It counts as a delivery for those who look at the number,
// but not towards MaxDeliveries: nobody has ended.
func (q *Queue) Return(o *owner.Owner, id uint64) error {
	q.mu.Lock()
	l, err := q.open.find(o, id)
	return q.release(l, err, true)
}

// release ends a lease that was looked for, and unlocks the queue.
func (q *Queue) release(l *lease, err error, back bool) error {
	if err != nil {
		q.mu.Unlock()
		return err
	}
	var out settlements
	o := l.owner
	item := q.open.end(l)
	o.Leave(q)
	if back && !q.dropped {
		q.putBack(item)
		q.serve(&out)
	}
	q.admit(&out)
	q.conclude(&out)
	q.mu.Unlock()
	out.run()
	return nil
}

// OwnerEnded implements owner.Party: what the owner had open goes back, or is
// given up.
func (q *Queue) OwnerEnded(o *owner.Owner) {
	var out settlements
	var poisoned []Poisoned
	q.mu.Lock()
	q.withdrawAll(o, &out) // it must not be given what it leaves behind
	for l := q.open.of[o].oldest; l != nil; l = q.open.of[o].oldest {
		item := q.open.end(l)
		item.deaths++
		switch {
		case item.deaths >= q.MaxDeliveries:
			poisoned = append(poisoned, Poisoned{Item: item.data, Deliveries: item.handed})
		case !q.dropped:
			q.putBack(item)
		}
	}
	q.serve(&out)
	q.admit(&out)
	q.conclude(&out)
	q.mu.Unlock()
	for _, p := range poisoned {
		p.Last = o.Abandoned()
		q.report(p)
	}
	out.run()
}

// withdrawAll ends the waits of an owner that has ended.
func (q *Queue) withdrawAll(o *owner.Owner, out *settlements) {
	for _, l := range []*line{&q.putters.line, &q.getters, &q.joiners.line} {
		for t := l.head; t != nil; {
			next := t.next
			if t.Owner == o {
				l.remove(t)
				t.leave()
				t.Item = nil
				out.settle(t, ErrEnded)
			}
			t = next
		}
	}
}

// putBack puts an item to the head, where its place is among those that are back
// already.
func (q *Queue) putBack(item taken) {
	q.front.push(item)
	q.bytes += cost(item.data)
}

// serve gives what came back to those who wait.
func (q *Queue) serve(out *settlements) {
	for q.len() > 0 && !q.getters.empty() {
		if item := q.take(); !q.hand(q.getters.head, item, out) {
			q.putBack(item)
		}
	}
}
