package broker

import (
	"io"
	"strconv"
	"sync"

	"github.com/feac4032/multiproc/internal/owner"
)

// MemoryLimit is how many bytes of items a queue holds, those that are leased
// included, each counted with 64 bytes on top. A queue that has reached it is
// full. An item always fits when none is queued, also if all the room is leased: it
// may be what a getter waits for who will be done only then. So it does not bound
// those who lease on and on and are never done.
const MemoryLimit = 256 << 20

// itemOverhead is what an item costs beside its bytes, so that a queue of tiny
// items is bounded too.
const itemOverhead = 64

func cost(item []byte) int { return len(item) + itemOverhead }

// Queue is a first in, first out queue of items, with leases. An item that was
// put is the queue's: whoever put it does not change it any more. One that was
// got is the getter's, a leased one is to be read only.
type Queue struct {
	// MaxDeliveries is how many owners may end with an item leased; the item then
	// counts as done. It and OnPoison are set before the queue is used.
	MaxDeliveries int

	// OnPoison is told of every item that is given up so, which is logged if it is
	// nil, as is its panic. No lock is held, and nobody who waits has been told yet.
	// It must not block.
	OnPoison func(Poisoned)

	name  string
	max   int // items, ≤ 0 = not bounded
	limit int // bytes

	mu    sync.Mutex
	front front  // items that came back; all were put before those in back
	back  ring   // items that nobody has had
	bytes int    // what front and back cost
	taken uint64 // how many have left back
	open  leases

	getters line // not empty only while front and back are empty, the oldest first
	putters putting
	getting getting
	lessees getting
	joiners joining

	// Not nil once the queue is closed, or will never be done.
	putErr, getErr, joinErr error

	dropped bool // by Shutdown: what comes back is dropped too
	removed bool
}

// The stations of a queue: where a ticket waits says what for.
type (
	putting struct {
		line
		q *Queue
	}
	getting struct { // both kinds stand in one line, q.getters
		q      *Queue
		leased bool
	}
	joining struct {
		line
		q *Queue
	}
)

// NewQueue returns a queue of up to n items; n ≤ 0 leaves MemoryLimit as the only
// bound.
func NewQueue(name string, n int) *Queue {
	q := &Queue{name: name, max: n, limit: MemoryLimit, MaxDeliveries: MaxDeliveries}
	q.putters.q, q.joiners.q = q, q
	q.getting.q = q
	q.lessees = getting{q, true}
	return q
}

// Name is what the queue was called when it was made.
func (q *Queue) Name() string { return q.name }

// Resource is what messages call it.
func (q *Queue) Resource() string { return "queue " + strconv.Quote(q.name) }

func (q *Queue) len() int { return len(q.front) + q.back.len() }

func (q *Queue) unfinished() int { return q.len() + q.open.len() }

func (q *Queue) fits(size int) bool {
	n := q.len()
	return n == 0 || (q.max <= 0 || n < q.max) && q.bytes+q.open.bytes+size+itemOverhead <= q.limit
}

// Put queues an item, when there is room. ErrClosed says that the queue was
// closed before.
func (q *Queue) Put(t *Ticket, item []byte) {
	var out settlements
	q.mu.Lock()
	if taken, err := q.offer(item, &out); taken || err != nil {
		out.settle(t, err)
	} else if t.enter(&q.putters, &q.mu, &out) {
		t.Item = item
		q.putters.push(t)
	}
	q.mu.Unlock()
	out.run()
}

// TryPut is Put that does not wait: false if there is no room, or others wait for
// it.
func (q *Queue) TryPut(item []byte) (bool, error) {
	q.mu.Lock()
	if q.getters.empty() { // nobody to tell
		taken, err := q.room(item)
		if taken {
			q.store(item)
		}
		q.mu.Unlock()
		return taken, err
	}
	var out settlements
	taken, err := q.offer(item, &out)
	q.mu.Unlock()
	out.run()
	return taken, err
}

// room reports whether an item can be taken at once.
func (q *Queue) room(item []byte) (bool, error) {
	if q.putErr != nil {
		return false, q.putErr
	}
	return q.putters.empty() && q.fits(len(item)), nil
}

// offer takes an item if there is room and nobody waits for it.
func (q *Queue) offer(item []byte, out *settlements) (bool, error) {
	taken, err := q.room(item)
	if taken {
		q.accept(item, out)
	}
	return taken, err
}

func (q *Queue) store(item []byte) {
	q.back.push(item)
	q.bytes += cost(item)
}

// accept takes an item that fits.
func (q *Queue) accept(item []byte, out *settlements) {
	for g := q.getters.head; g != nil; g = q.getters.head {
		if q.hand(g, taken{data: item, seq: q.taken}, out) {
			q.taken++
			return
		}
	}
	q.store(item)
}

// admit lets the putters in that there is room for now, in their order.
func (q *Queue) admit(out *settlements) {
	for p := q.putters.head; p != nil && q.fits(len(p.Item)); p = q.putters.head {
		item := q.unlinePutter(p)
		out.settle(p, nil)
		q.accept(item, out)
	}
}

// take takes the next item out of a queue that is not empty.
func (q *Queue) take() taken {
	if len(q.front) == 0 {
		seq := q.taken
		return taken{data: q.pop(), seq: seq}
	}
	item := q.front.pop()
	q.bytes -= cost(item.data)
	return item
}

// pop takes the oldest item that nobody has had.
func (q *Queue) pop() []byte {
	item := q.back.pop()
	q.taken++
	q.bytes -= cost(item)
	return item
}

// hand gives an item to a getter that waits. It reports false if its owner has
// ended: that one is about to be withdrawn, and the item would be lost.
func (q *Queue) hand(g *Ticket, item taken, out *settlements) bool {
	leased := g.at == station(&q.lessees)
	q.getters.remove(g)
	if !g.leave() {
		out.settle(g, ErrEnded)
		return false
	}
	return q.grant(g, leased, item, out)
}

// grant gives an item to a ticket that is in no line. It reports false if its
// owner has ended and can have no lease.
func (q *Queue) grant(t *Ticket, leased bool, item taken, out *settlements) bool {
	if leased {
		if !t.Owner.Enter(q) {
			out.settle(t, ErrEnded)
			return false
		}
		item.handed++
		t.Lease, t.Delivery = q.open.open(t.Owner, item).id, item.handed
	}
	t.Item = item.data
	out.settle(t, nil)
	return true
}

// Get takes the next item out for good: t.Item. ErrClosed says that the queue is
// closed and that there will be no more.
func (q *Queue) Get(t *Ticket) { q.request(t, &q.getting) }

func (q *Queue) request(t *Ticket, s *getting) {
	var out settlements
	q.mu.Lock()
	switch {
	case q.len() > 0:
		if item := q.take(); !q.grant(t, s.leased, item, &out) {
			q.putBack(item)
		}
		q.admit(&out)
		q.conclude(&out)
	case q.drained(t.Owner):
		out.settle(t, q.getErr)
	case t.enter(s, &q.mu, &out):
		q.getters.push(t)
	}
	q.mu.Unlock()
	out.run()
}

// TryGet is Get that does not wait: false if there is nothing.
func (q *Queue) TryGet() (item []byte, ok bool, err error) {
	var one [1][]byte
	n, err := q.TryGetBatch(one[:])
	return one[0], n > 0, err
}

// TryGetBatch takes out as many items as there are, up to len(dst), and returns
// how many.
func (q *Queue) TryGetBatch(dst [][]byte) (int, error) {
	q.mu.Lock()
	if q.len() == 0 {
		defer q.mu.Unlock()
		if q.drained(nil) {
			return 0, q.getErr
		}
		return 0, nil
	}
	n := 0
	if len(q.front) == 0 && q.putters.empty() && q.joiners.empty() { // nobody to tell
		for ; n < len(dst) && q.back.len() > 0; n++ {
			dst[n] = q.pop()
		}
		q.mu.Unlock()
		return n, nil
	}
	var out settlements
	for ; n < len(dst) && q.len() > 0; n++ {
		dst[n] = q.take().data
		q.admit(&out)
	}
	q.conclude(&out)
	q.mu.Unlock()
	out.run()
	return n, nil
}

// drained reports whether o has nothing more to expect. What others have leased
// may come back, so that it is waited for; but who has items open may be needed to
// end that, and does not wait.
func (q *Queue) drained(o *owner.Owner) bool {
	return q.getErr != nil && q.len() == 0 && (q.open.len() == 0 || o != nil && q.open.of[o].oldest != nil)
}

// Join waits until every item that was put is done: taken out by a get, or leased
// and then done. ErrClosed says that items were dropped by Shutdown.
func (q *Queue) Join(t *Ticket) {
	var out settlements
	q.mu.Lock()
	switch {
	case q.joinErr != nil:
		out.settle(t, q.joinErr)
	case q.unfinished() == 0:
		out.settle(t, nil)
	case t.enter(&q.joiners, &q.mu, &out):
		q.joiners.push(t)
	}
	q.mu.Unlock()
	out.run()
}

// conclude tells those who wait for the end of all items.
func (q *Queue) conclude(out *settlements) {
	if q.unfinished() > 0 {
		return
	}
	q.joiners.settleAll(nil, out)
	if q.getErr != nil {
		q.getters.settleAll(q.getErr, out)
	}
}

// Len is the number of items that are queued; those that are leased are not.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.len()
}

// Unfinished is the number of items that are queued or leased.
func (q *Queue) Unfinished() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.unfinished()
}

// Full reports whether a put of the smallest item would wait. A closed queue is
// never full: its puts fail at once.
func (q *Queue) Full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.putErr == nil && (!q.putters.empty() || !q.fits(0))
}

// Close refuses puts from now on, also those that wait, with ErrClosed. Getters
// drain what is queued, and what comes back from leases, then get ErrClosed.
func (q *Queue) Close() { q.end(ending{put: ErrClosed, get: ErrClosed}) }

// Shutdown closes, drops what is queued, and wakes all that wait with ErrClosed,
// joiners too. Leases that are open stay so; what is returned is dropped.
func (q *Queue) Shutdown() {
	q.end(ending{put: ErrClosed, get: ErrClosed, join: ErrClosed, drop: true})
}

// Remove is Shutdown for a reason: all who wait get cause, and so does every later
// request. Leases that are open can still be ended.
func (q *Queue) Remove(cause error) {
	q.end(ending{put: cause, get: cause, join: cause, drop: true, remove: true})
}

// ending is what those get who put, get and join from then on.
type ending struct {
	put, get, join error
	drop, remove   bool
}

func (q *Queue) end(e ending) {
	var out settlements
	q.mu.Lock()
	defer out.run()
	defer q.mu.Unlock()
	if q.removed {
		return
	}
	q.putErr, q.getErr = closing(q.putErr, e.put), closing(q.getErr, e.get)
	for p := q.putters.head; p != nil; p = q.putters.head {
		q.unlinePutter(p)
		out.settle(p, q.putErr)
	}
	if e.remove || e.drop && q.unfinished() > 0 {
		q.joinErr = e.join
	}
	if e.drop {
		q.dropped, q.removed = true, e.remove
		q.front, q.back, q.bytes = nil, ring{}, 0
		q.joiners.settleAll(e.join, &out)
		q.getters.settleAll(q.getErr, &out)
	}
	for g := q.getters.head; g != nil; {
		next := g.next
		if q.drained(g.Owner) {
			q.unlineGetter(g)
			out.settle(g, q.getErr)
		}
		g = next
	}
}

// closing returns why a queue is closed. What the other end of a pipe has done
// never hides what was done to this one.
func closing(old, err error) error {
	if old != nil && (err == io.EOF || err == ErrLost) {
		return old
	}
	return err
}

// unlineGetter ends the waiting of a getter.
func (q *Queue) unlineGetter(t *Ticket) {
	q.getters.remove(t)
	t.leave()
}

// unlinePutter ends the waiting of a putter, and returns its item.
func (q *Queue) unlinePutter(t *Ticket) []byte {
	item := t.Item
	t.Item = nil
	q.putters.remove(t)
	t.leave()
	return item
}

func (s *putting) withdraw(t *Ticket, cause error, out *settlements) {
	s.q.unlinePutter(t)
	out.settle(t, cause)
	s.q.admit(out) // a smaller item may stand behind one that was too big
}

func (s *getting) withdraw(t *Ticket, cause error, out *settlements) {
	s.q.unlineGetter(t)
	out.settle(t, cause)
}

func (s *joining) withdraw(t *Ticket, cause error, out *settlements) {
	s.remove(t)
	t.leave()
	out.settle(t, cause)
}
