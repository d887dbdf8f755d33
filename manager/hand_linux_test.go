package manager_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

// order is what a test wants a party to do.
type order struct {
	N    int // its number
	Do   string
	Kind manager.Kind
	On   string // name of the object
	K    int    // how often, how many, or the size of items
	Most int    // items; 0 = no end
	Free bool   // it is done on no owner's behalf, but for the whole process
	Tell bool   // there is an answer, too, when it begins
	Book string // path of the book
	Page int    // of the party in the book
}

// answer is what became of an order.
type answer struct {
	N       int
	Begins  bool
	Failure []byte       // nil = it was done
	Cycle   []owner.Edge // of a deadlock
	Left    []legacy     // who has abandoned what was acquired
	Result  int
}

// legacy is a psync.Abandoned that travels.
type legacy struct {
	owner.Identity
	Cause string
}

// err is what the order has failed with.
func (a *answer) err() error {
	if a.Failure == nil {
		return nil
	}
	f, err := task.DecodeFailure(a.Failure)
	if err != nil {
		return err
	}
	return f
}

// desk is where a party finds its orders, and leaves its answers.
type desk struct {
	Orders  *queue.Queue[order]
	Answers *queue.Queue[answer]
}

// hand is a party: it does what it is told, until it is told how to end. Orders
// are carried out beside its main function, so that it can end while it waits; but
// a chaos is its main function's own, which ends where it is.
var hand = task.Define("hand", follow)

func follow(ctx context.Context, d desk) (int, error) {
	loops, stop := context.WithCancel(ctx)
	defer stop()
	h := &hands{ctx: ctx, loops: loops}
	orders := make(chan order)
	lost := make(chan error, 1)
	go func() {
		for {
			o, err := d.Orders.Get(loops)
			if err != nil {
				lost <- err
				return
			}
			select {
			case orders <- o:
			case <-loops.Done():
			}
		}
	}()
	reply := func(o order, err error, a answer) {
		a.N = o.N
		if err != nil {
			a.Failure = task.NewFailure(err).Append(nil)
			var deadlock *psync.DeadlockError
			if errors.As(err, &deadlock) {
				a.Cycle = deadlock.Cycle
			}
		}
		// Nobody asks a party that has ended.
		_ = d.Answers.Put(context.WithoutCancel(ctx), a)
	}
	for {
		var o order
		select {
		case o = <-orders:
		case err := <-lost:
			return 0, errors.Join(err, context.Cause(ctx))
		}
		if o.Do == "chaos" {
			reply(o, nil, answer{}) // it begins
			var err error
			if o, err = h.chaos(&o, orders); err != nil {
				return 0, err
			}
		}
		switch o.Do {
		case "return":
			return o.K, nil
		case "fail":
			return 0, errGivenUp
		case "panic":
			panic("dropped it")
		case "exit":
			os.Exit(o.K)
		}
		if o.Tell {
			reply(o, nil, answer{Begins: true})
		}
		go func() {
			var a answer
			err := h.carryOut(&o, &a)
			reply(o, err, a)
		}()
	}
}

var errGivenUp = errors.New("given up")

func init() { task.DefineError("manager_test.errOutOfOrder", errOutOfOrder) }

// hands are those of one party.
type hands struct {
	ctx    context.Context // of its owner
	loops  context.Context // ends with the main function
	leases []queue.Lease[item]
	giveUp atomic.Pointer[context.CancelFunc] // the wait for a condition
}

func (h *hands) carryOut(o *order, a *answer) error {
	do := map[string]func(*order, *answer) error{
		"pid":     func(_ *order, a *answer) error { a.Result = os.Getpid(); return nil },
		"acquire": h.acquire,
		"release": h.release,
		"pass":    h.pass,
		"wait":    h.wait,
		"give up": func(*order, *answer) error { (*h.giveUp.Load())(); return nil },
		"notify":  h.notify,
		"set":     h.set,
		"put":     h.put,
		"get":     h.get,
		"produce": h.produce,
		"consume": h.consume,
		"say":     h.say,
		"hear":    h.hear,
		"lease":   h.lease,
		"done":    h.done,
		"work":    h.work,
	}[o.Do]
	if do == nil {
		return fmt.Errorf("nobody knows how to %s", o.Do)
	}
	return do(o, a)
}

// holdable is what can be acquired.
type holdable interface {
	Acquire(ctx context.Context) (psync.Held, error)
	TryAcquire(ctx context.Context) (psync.Held, error)
	Release(ctx context.Context) error
}

// hold opens what can be acquired.
func hold(ctx context.Context, kind manager.Kind, name string) (holdable, error) {
	switch kind {
	case manager.KindLock:
		return manager.Lock(ctx, name)
	case manager.KindRLock:
		return manager.RLock(ctx, name)
	case manager.KindSemaphore:
		return manager.Semaphore(ctx, name)
	case manager.KindBoundedSemaphore:
		return manager.BoundedSemaphore(ctx, name)
	case manager.KindCondition:
		return manager.Condition(ctx, name)
	}
	return nil, fmt.Errorf("a %s is not held", kind)
}

// acquire takes something K times.
func (h *hands) acquire(o *order, a *answer) error {
	l, err := hold(h.ctx, o.Kind, o.On)
	if err != nil {
		return err
	}
	for range o.K {
		held, err := l.Acquire(h.ctx)
		if err != nil {
			return err
		}
		a.inherit(held.Abandoned)
	}
	return nil
}

func (a *answer) inherit(left *psync.Abandoned) {
	if left == nil {
		return
	}
	l := legacy{Identity: left.Identity}
	if left.Cause != nil {
		l.Cause = left.Cause.Error()
	}
	a.Left = append(a.Left, l)
}

// release gives something back K times.
func (h *hands) release(o *order, _ *answer) error {
	l, err := hold(h.ctx, o.Kind, o.On)
	if err != nil {
		return err
	}
	for range o.K {
		if err := l.Release(h.ctx); err != nil {
			return err
		}
	}
	return nil
}

// pass acquires and releases.
func (h *hands) pass(o *order, a *answer) error {
	if err := h.acquire(o, a); err != nil {
		return err
	}
	return h.release(o, a)
}

// wait waits for a condition, an event or a barrier.
func (h *hands) wait(o *order, a *answer) error {
	switch o.Kind {
	case manager.KindCondition:
		c, err := manager.Condition(h.ctx, o.On)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(h.ctx)
		defer cancel()
		h.giveUp.Store(&cancel)
		left, err := c.Wait(ctx)
		a.inherit(left)
		return err
	case manager.KindEvent:
		e, err := manager.Event(h.ctx, o.On)
		if err != nil {
			return err
		}
		return e.Wait(h.ctx)
	case manager.KindBarrier:
		b, err := manager.Barrier(h.ctx, o.On)
		if err != nil {
			return err
		}
		a.Result, err = b.Wait(h.ctx)
		return err
	}
	return fmt.Errorf("nobody waits for a %s", o.Kind)
}

// notify wakes K who wait for a condition.
func (h *hands) notify(o *order, _ *answer) error {
	c, err := manager.Condition(h.ctx, o.On)
	if err != nil {
		return err
	}
	return c.Notify(h.ctx, o.K)
}

func (h *hands) set(o *order, _ *answer) error {
	e, err := manager.Event(h.ctx, o.On)
	if err != nil {
		return err
	}
	return e.Set(h.ctx)
}

// item is what goes through queues. Its body is a stretch of noise that depends on
// who has made it and when.
type item struct {
	From int // page of the producer in the book
	Seq  int
	Body []byte
}

const (
	maxSize = 1 << 20
	places  = 1 << 12 // where a body may begin in the noise
)

var noise = sync.OnceValue(func() []byte {
	b := make([]byte, maxSize+places)
	if _, err := rand.NewChaCha8([32]byte{}).Read(b); err != nil {
		panic(err)
	}
	return b
})

func newItem(from, seq, size int) item {
	it := item{From: from, Seq: seq}
	it.Body = it.body(size)
	return it
}

func (it *item) body(size int) []byte {
	return noise()[(it.From*61+it.Seq*7)%places:][:size]
}

// whole reports whether the item is as it was made.
func (it *item) whole() bool {
	return len(it.Body) <= maxSize && bytes.Equal(it.Body, it.body(len(it.Body)))
}

// id is what a book calls the item.
func (it *item) id() uint64 { return uint64(it.From)<<32 | uint64(it.Seq) }

// put puts one item of K bytes.
func (h *hands) put(o *order, _ *answer) error {
	q, err := manager.Queue[item](h.ctx, o.On)
	if err != nil {
		return err
	}
	return q.Put(h.ctx, newItem(o.Page, 0, o.K))
}

// get gets one item; a.Result is who has put it.
func (h *hands) get(o *order, a *answer) error {
	ctx := h.ctx
	if o.Free {
		ctx = context.Background()
	}
	q, err := manager.Queue[item](ctx, o.On)
	if err != nil {
		return err
	}
	it, err := q.Get(ctx)
	a.Result = it.From
	return err
}

// produce puts items of K bytes, all that it is to put, or until the party ends;
// when that takes long, it rests.
func (h *hands) produce(o *order, _ *answer) error {
	return h.loop(o, func(ctx context.Context, p page) error {
		q, err := manager.Queue[item](ctx, o.On)
		if err != nil {
			return err
		}
		for seq := 0; o.Most == 0 || seq < o.Most; seq++ {
			it := newItem(o.Page, seq, o.K)
			p.begin()
			if err := q.Put(ctx, it); err != nil {
				return err
			}
			if p.note(it.id()); p.ample() {
				<-ctx.Done()
				return ctx.Err()
			}
		}
		return nil
	})
}

// consume gets items until the queue is closed or the party ends.
func (h *hands) consume(o *order, _ *answer) error {
	return h.loop(o, func(ctx context.Context, p page) error {
		q, err := manager.Queue[item](ctx, o.On)
		if err != nil {
			return err
		}
		for !p.full() {
			p.begin()
			it, err := q.Get(ctx)
			if errors.Is(err, queue.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			if !it.whole() {
				return fmt.Errorf("item %d of %d is torn", it.Seq, it.From)
			}
			p.note(it.id())
		}
		return errors.New("the book is full")
	})
}

// say puts K messages into the second end of a pipe.
func (h *hands) say(o *order, _ *answer) error {
	_, end, err := manager.Pipe[int](h.ctx, o.On)
	for i := 0; i < o.K && err == nil; i++ {
		err = end.Put(h.ctx, i)
	}
	return err
}

// hear gets what comes out of the first end, until the other one is closed; the
// result is how many messages that were.
func (h *hands) hear(o *order, a *answer) error {
	end, _, err := manager.Pipe[int](h.ctx, o.On)
	if err != nil {
		return err
	}
	for i, err := range end.All(h.ctx) {
		if err != nil {
			return err
		}
		if i != a.Result {
			return fmt.Errorf("message %d after %d", i, a.Result)
		}
		a.Result++
	}
	return nil
}

// loop does what ends with the party, and is noted in the book.
func (h *hands) loop(o *order, f func(context.Context, page) error) error {
	b, err := bookAt(o.Book)
	if err != nil {
		return err
	}
	return f(h.loops, b.page(o.Page))
}

// lease takes K items of a joinable queue; a.Result is how many of these others
// have had before.
func (h *hands) lease(o *order, a *answer) error {
	q, err := manager.Joinable[item](h.ctx, o.On)
	if err != nil {
		return err
	}
	for range o.K {
		l, err := q.Lease(h.ctx)
		if err != nil {
			return err
		}
		h.leases = append(h.leases, l)
		if l.Deliveries > 1 {
			a.Result++
		}
	}
	return nil
}

// done ends all leases.
func (h *hands) done(*order, *answer) error {
	for _, l := range h.leases {
		if err := l.Done(); err != nil {
			return err
		}
	}
	h.leases = nil
	return nil
}

// work leases items, and is done with each, until the queue is closed or the
// party ends.
func (h *hands) work(o *order, _ *answer) error {
	return h.loop(o, func(ctx context.Context, p page) error {
		q, err := manager.Joinable[item](ctx, o.On)
		if err != nil {
			return err
		}
		for l, err := range q.All(ctx) {
			if err != nil {
				return err
			}
			p.begin()
			if err := l.Done(); err != nil {
				return err
			}
			if p.note(l.Value.id()); p.full() {
				return errors.New("the book is full")
			}
		}
		return nil
	})
}
