package remote

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/ipc"
)

// producer is what a client has posted to one queue. Posts are not answered; so
// that a queue which is full holds back those who put into it, and nobody else,
// every putWindow bytes one put is a call, and its answer says that all before it
// are in the queue.
type producer struct {
	bytes   int // posted since the last such call
	windows int // such calls that are unanswered
}

// postMax is the largest item that is posted; a larger one is a call of its own.
const postMax = ipc.MaxInline / 2

// post puts an item that is bounded by memory only. It blocks while the windows
// are full, or with wait false returns broker.ErrFull.
//
// The first item is a call all the same: a job that puts only one would learn from
// no later call that nobody here has the queue.
func (c *Client) post(ctx context.Context, object uint64, op string, wait bool, item []byte) error {
	if ctx.Err() != nil {
		return broker.Ended(ctx)
	}
	if err := c.noticed(object, 0); err != nil {
		return err
	}
	met := c.met(object)
	if !met || len(item) > postMax {
		mode := uint64(putWait)
		if !wait {
			mode = putNow
		}
		err := c.put(ctx, object, op, mode, item)
		if err == nil && !met {
			c.meet(object)
		}
		return err
	}
	p, err := c.admit(ctx, object, len(item)+itemCost, wait)
	if err != nil {
		return err
	}
	k := c.fresh()
	k.head(4, object, 0)
	k.out = appendBin(appendUint(k.out, putStays), item)
	if p == nil {
		err := c.Post(op, k.out)
		c.recycle(k)
		return err
	}
	k.then = func(k *exchange) { c.confirmed(p, object, k) }
	return c.start(ctx, k, op, true)
}

// met reports whether an item has been put into a queue before.
func (c *Client) met(object uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.producers[object] != nil
}

// meet notes that an item has been put into a queue.
func (c *Client) meet(object uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.producers[object] != nil {
		return
	}
	if len(c.producers) >= maxProducers {
		for id, p := range c.producers {
			if p.windows == 0 { // the next item is a call again, and comes behind what was posted
				delete(c.producers, id)
				break
			}
		}
	}
	c.producers[object] = &producer{}
}

// maxProducers bounds the queues of which a client knows what it has posted to them.
const maxProducers = 1 << 12

// admit waits until an item may be posted. If it has to be a call, it returns the
// producer, who is told of the answer.
func (c *Client) admit(ctx context.Context, object uint64, size int, wait bool) (asks *producer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.producers[object]
	if p == nil { // it was forgotten meanwhile
		p = &producer{bytes: putWindow}
		c.producers[object] = p
	}
	blocked := func() bool { return c.lost == nil && p.bytes+size > putWindow && p.windows >= maxWindows }
	if blocked() && !wait {
		return nil, broker.ErrFull
	}
	if blocked() {
		defer context.AfterFunc(ctx, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.room.Broadcast()
		})()
	}
	for blocked() {
		if ctx.Err() != nil {
			return nil, broker.Ended(ctx)
		}
		c.readOn()
		c.room.Wait()
	}
	if c.lost != nil {
		return nil, c.lost
	}
	if p.bytes += size; p.bytes > putWindow {
		p.bytes = 0
		p.windows++
		return p, nil
	}
	return nil, nil
}

// confirmed is the answer to the put that ends a window.
func (c *Client) confirmed(p *producer, object uint64, k *exchange) {
	c.mu.Lock()
	p.windows--
	c.room.Broadcast()
	c.mu.Unlock()
	if k.lost != nil {
		return // whoever sends it may not be done with it
	}
	if k.status != ipc.StatusOK {
		if err, bad := decodeError(k.body); bad == nil {
			c.note(subject{object, 0}, err)
		}
	}
	c.recycle(k)
}

// flush waits until all that was posted to a queue is in it, or was refused.
func (c *Client) flush(ctx context.Context, object uint64, op string) error {
	k, err := c.begin(ctx)
	if err != nil {
		return err
	}
	k.head(3, object, 0)
	k.out = appendUint(k.out, putStays)
	answered := make(chan error, 1)
	k.then = func(k *exchange) {
		if k.lost != nil {
			answered <- k.lost // whoever sends it may not be done with it
			return
		}
		err := c.outcome(ctx, k)
		if err == nil {
			k.in.null()
			err = c.end(k)
		}
		answered <- err
	}
	if err := c.start(ctx, k, op, true); err != nil {
		return err
	}
	c.readOn()
	select {
	case err = <-answered:
	case <-ctx.Done():
		return broker.Ended(ctx) // the answer comes to nobody
	}
	if err == nil {
		err = c.noticed(object, 0)
	}
	return err
}

// put puts one item and waits until it is in the queue.
func (c *Client) put(ctx context.Context, object uint64, op string, mode uint64, item []byte) error {
	a, err := c.agentOf(ctx)
	if err != nil {
		return err
	}
	k, err := c.begin(ctx)
	if err != nil {
		return err
	}
	k.head(4, object, a.number())
	k.out = appendBin(appendUint(k.out, mode), item)
	return c.simple(ctx, k, op)
}

// tryPut puts as many items as there is room for now.
func tryPut(ctx context.Context, object uint64, op string, posts bool, items [][]byte) (int, error) {
	c, err := clientOf(ctx)
	if err != nil {
		return 0, err
	}
	for i, item := range items {
		if posts {
			err = c.post(ctx, object, op, false, item)
		} else {
			err = c.put(ctx, object, op, putNow, item)
		}
		if err == nil {
			continue
		}
		if isFull(err) {
			err = nil
		}
		return i, err
	}
	return len(items), nil
}

// get gets what there is, up to len(dst).
func get(ctx context.Context, object uint64, op string, wait bool, dst [][]byte) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	c, k, _, err := on(ctx, object, 4)
	if err != nil {
		return 0, err
	}
	k.out = appendUint(appendBool(k.out, wait), uint64(len(dst)))
	if err := c.roundTrip(ctx, k, op); err != nil {
		return 0, err
	}
	n := k.in.array()
	if n == 0 || n > len(dst) {
		k.in.fail()
		n = 0
	}
	for i := range n {
		dst[i] = append(dst[i][:0], k.in.bin()...)
	}
	return n, c.end(k)
}

// tryGet is get of what is there now: 0 says nothing is.
func tryGet(ctx context.Context, object uint64, op string, dst [][]byte) (int, error) {
	n, err := get(ctx, object, op, false, dst)
	if isEmpty(err) {
		return 0, nil
	}
	return n, err
}
