package manager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
)

// What there is in a chaos. Each of the locks guards a pair of numbers that are
// equal while nobody holds it, unless whoever did has died.
var chaosLocks = []struct {
	name string
	kind manager.Kind
}{{"a", manager.KindLock}, {"b", manager.KindLock}, {"c", manager.KindRLock}, {"d", manager.KindCondition}}

const (
	tokens  = 6 // that go out of a queue and back into it
	leased  = 6 // items of which leases are taken and returned
	permits = 2
)

func (s *stage) chaos() {
	s.t.Helper()
	for _, l := range chaosLocks {
		var err error
		switch l.kind {
		case manager.KindLock:
			_, err = manager.NewLock(s.m, l.name)
		case manager.KindRLock:
			_, err = manager.NewRLock(s.m, l.name)
		default:
			_, err = manager.NewCondition(s.m, l.name, nil)
		}
		s.must(err)
		_, err = manager.NewArray(s.m, "pair "+l.name, make([]int, 2))
		s.must(err)
	}
	_, err := manager.NewSemaphore(s.m, "semaphore", permits)
	s.must(err)
	_, err = manager.NewEvent(s.m, "event")
	s.must(err)
	_, err = manager.NewBarrier(s.m, "barrier", 2, nil)
	s.must(err)
	_, err = manager.NewNumber(s.m, "number", 0)
	s.must(err)
	q, err := manager.NewQueue[int](s.m, "tokens", tokens)
	s.must(err)
	j, err := manager.NewJoinable[int](s.m, "leased", 0, manager.MaxDeliveries(1000))
	s.must(err)
	for i := range tokens {
		s.must(q.Put(s.ctx, i))
	}
	for i := range leased {
		s.must(j.Put(s.ctx, i))
	}
}

// chaos does random things until it gets another order, which is one to end, or
// its context has ended. The book's page counts tokens, the next page additions.
func (h *hands) chaos(o *order, orders <-chan order) (end order, err error) {
	b, err := bookAt(o.Book)
	if err != nil {
		return end, err
	}
	c := &chaotic{
		Rand: rand.New(rand.NewPCG(uint64(o.K), 9)), orders: orders,
		took: b.page(o.Page), added: b.page(o.Page + 1),
	}
	things := []func(context.Context) error{c.locks, c.locks, c.condition, c.semaphore, c.token, c.token, c.lease, c.event, c.barrier, c.number}
	for h.loops.Err() == nil {
		ctx, cancel := context.WithTimeout(h.loops, time.Duration(1+c.IntN(10))*time.Millisecond)
		i := c.IntN(len(things))
		err := things[i](ctx)
		cancel()
		switch {
		case errors.Is(err, errTold):
			return c.end, nil
		case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, psync.ErrDeadlock), errors.Is(err, psync.ErrBroken):
		case h.loops.Err() == nil || errors.Is(err, errTorn):
			return end, fmt.Errorf("%w: thing %d: %w", errOutOfOrder, i, err)
		}
	}
	return end, context.Cause(h.loops)
}

var (
	errTorn = errors.New("half done, and nobody has abandoned it")
	errTold = errors.New("told to end")

	errOutOfOrder = errors.New("out of order")
)

type chaotic struct {
	*rand.Rand
	orders      <-chan order
	end         order // has come: nothing is given back any more
	took, added page
}

// told reports whether it is time to end, with what is held, as an error.
func (c *chaotic) told() error {
	select {
	case c.end = <-c.orders:
		return errTold
	default:
		return nil
	}
}

// giveBack releases what is held, unless it is to be left.
func (c *chaotic) giveBack(held *psync.Held, err *error) {
	if c.end.Do != "" {
		return
	}
	if e := held.Release(); e != nil {
		*err = errors.Join(*err, e)
	}
}

// take acquires a lock, makes good what whoever held it has left, and calls f.
func (c *chaotic) take(ctx context.Context, i int, f func() error) (err error) {
	l, err := hold(ctx, chaosLocks[i].kind, chaosLocks[i].name)
	if err != nil {
		return err
	}
	held, err := l.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.giveBack(&held, &err)
	whole := context.WithoutCancel(ctx)
	if err := c.check(whole, i, held.Abandoned); err != nil {
		return err
	}
	if c.IntN(3) == 0 {
		if err := c.change(whole, i); err != nil {
			return err
		}
	}
	return f()
}

// check compares what a lock guards.
func (c *chaotic) check(ctx context.Context, i int, left *psync.Abandoned) error {
	pair, err := manager.Array[int](ctx, "pair "+chaosLocks[i].name)
	if err != nil {
		return err
	}
	both, err := pair.Snapshot(ctx)
	if err != nil {
		return err
	}
	if both[0] == both[1] {
		return nil
	}
	if left == nil {
		return fmt.Errorf("%q guards %v: %w", chaosLocks[i].name, both, errTorn)
	}
	return pair.Store(ctx, 1, both[0])
}

func (c *chaotic) change(ctx context.Context, i int) error {
	pair, err := manager.Array[int](ctx, "pair "+chaosLocks[i].name)
	if err != nil {
		return err
	}
	v := c.Int()
	if err := pair.Store(ctx, 0, v); err != nil {
		return err
	}
	if err := c.told(); err != nil {
		return err
	}
	return pair.Store(ctx, 1, v)
}

// locks takes some in any order, which may close a circle.
func (c *chaotic) locks(ctx context.Context) error {
	order := c.Perm(len(chaosLocks))[:1+c.IntN(3)]
	var next func() error
	next = func() error {
		if len(order) == 0 {
			return c.told()
		}
		i := order[0]
		order = order[1:]
		return c.take(ctx, i, next)
	}
	return next()
}

func (c *chaotic) condition(ctx context.Context) error {
	const i = 3
	return c.take(ctx, i, func() error {
		cond, err := manager.Condition(ctx, chaosLocks[i].name)
		if err != nil {
			return err
		}
		if c.IntN(2) == 0 {
			return cond.Notify(ctx, 1+c.IntN(2))
		}
		left, err := cond.Wait(ctx)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return c.check(context.WithoutCancel(ctx), i, left)
	})
}

func (c *chaotic) semaphore(ctx context.Context) (err error) {
	s, err := manager.Semaphore(ctx, "semaphore")
	if err != nil {
		return err
	}
	held, err := s.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.giveBack(&held, &err)
	if err := c.event(ctx); err != nil { // that takes a while
		return err
	}
	return c.told()
}

// token takes one out and puts it back.
func (c *chaotic) token(ctx context.Context) error {
	q, err := manager.Queue[int](ctx, "tokens")
	if err != nil {
		return err
	}
	c.took.begin()
	n, err := q.Get(ctx)
	if err == nil {
		if err := q.Put(context.WithoutCancel(ctx), n); err != nil {
			return err
		}
	}
	c.took.count()
	return err
}

func (c *chaotic) lease(ctx context.Context) error {
	q, err := manager.Joinable[int](ctx, "leased")
	if err != nil {
		return err
	}
	l, err := q.Lease(ctx)
	if err != nil {
		return err
	}
	if err := c.told(); err != nil {
		return err
	}
	return l.Return()
}

func (c *chaotic) event(ctx context.Context) error {
	if err := c.told(); err != nil {
		return err
	}
	e, err := manager.Event(ctx, "event")
	if err != nil {
		return err
	}
	switch c.IntN(3) {
	case 0:
		return e.Set(ctx)
	case 1:
		return e.Clear(ctx)
	default:
		return e.Wait(ctx)
	}
}

func (c *chaotic) barrier(ctx context.Context) error {
	b, err := manager.Barrier(ctx, "barrier")
	if err != nil {
		return err
	}
	if _, err = b.Wait(ctx); errors.Is(err, psync.ErrBroken) {
		return b.Reset(ctx)
	}
	return err
}

func (c *chaotic) number(ctx context.Context) error {
	n, err := manager.Number[int](ctx, "number")
	if err != nil {
		return err
	}
	c.added.begin()
	if _, err = n.Add(ctx, 1); err == nil {
		c.added.count()
	}
	return err
}

// Parties do whatever they like with the same objects, and end at random moments.
// The rest goes on, and when all have ended everything is in its place.
func TestChaos(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			newStage(t, seed, 3).playChaos()
		})
	}
}

func (s *stage) playChaos() {
	s.chaos()
	var took, added []page
	enter := func(p *party) *party {
		o, page := s.inBook(order{Do: "chaos", K: 1 + s.IntN(1<<30)})
		took, added = append(took, page), append(added, s.book.page(s.page()))
		p.do(s, o)
		return p
	}
	end := func(p *party, e *ending) {
		s.t.Helper()
		s.end(p, e)
		if err := s.dead(p, e); errors.Is(err, errOutOfOrder) {
			s.t.Fatalf("%s, which %s: %v", p.name, e.name, err)
		}
	}
	last := []*party{enter(s.enter("process")), enter(s.enter("goroutine"))}
	for range 5 {
		e := &killed
		if s.IntN(3) == 0 {
			another := s.another()
			e = &another
		}
		p := enter(s.victim(e))
		time.Sleep(time.Duration(s.Int64N(int64(20 * time.Millisecond))))
		end(p, e)
	}
	for _, p := range last {
		end(p, &returns)
	}
	s.inOrder(took, added)
}

// inOrder checks what is left when all have ended.
func (s *stage) inOrder(took, added []page) {
	s.t.Helper()
	ctx := s.owned()
	for i, l := range chaosLocks {
		lock, err := hold(ctx, l.kind, l.name)
		s.must(err)
		held, err := lock.TryAcquire(ctx)
		s.must(err)
		s.must(new(chaotic).check(ctx, i, held.Abandoned))
		s.must(held.Release())
	}
	sem, err := manager.Semaphore(ctx, "semaphore")
	s.must(err)
	if n, err := sem.Value(ctx); n != permits || err != nil {
		s.t.Errorf("%d permits, %v; want %d", n, err, permits)
	}
	barrier, err := manager.Barrier(ctx, "barrier")
	s.must(err)
	if n, err := barrier.Waiting(ctx); n != 0 || err != nil {
		s.t.Errorf("%d wait at the barrier, %v", n, err)
	}
	leases, err := manager.Joinable[int](ctx, "leased")
	s.must(err)
	if n, err := leases.Len(ctx); n != leased || err != nil {
		s.t.Errorf("%d items are back from leases, %v; want %d", n, err, leased)
	}
	if n, err := leases.Unfinished(ctx); n != leased || err != nil {
		s.t.Errorf("%d items are not done, %v; want %d", n, err, leased)
	}

	q, err := manager.Queue[int](ctx, "tokens")
	s.must(err)
	seen := map[int]bool{}
	for {
		n, err := q.TryGet(ctx)
		if errors.Is(err, queue.ErrEmpty) {
			break
		}
		s.must(err)
		if seen[n] {
			s.t.Errorf("token %d is there twice", n)
		}
		seen[n] = true
	}
	gone := 0 // at most, with those who have died
	for _, p := range took {
		gone += p.begun() - p.done()
	}
	if len(seen) < tokens-gone {
		s.t.Errorf("%d of %d tokens are left, and %d were taken by the dead", len(seen), tokens, gone)
	}

	number, err := manager.Number[int](ctx, "number")
	s.must(err)
	n, err := number.Load(ctx)
	s.must(err)
	least, most := 0, 0
	for _, p := range added {
		least += p.done()
		most += p.begun()
	}
	if n < least || n > most {
		s.t.Errorf("counted to %d, want %d to %d", n, least, most)
	}
}
