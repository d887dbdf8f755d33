package psynctest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/feac4032/multiproc/psync"
)

// expectCycle wants err to be a deadlock of these parties, each of which waits for
// the lock of this name that the next one holds.
func (b *bench) expectCycle(err error, locks map[string]*party) {
	b.Helper()
	var deadlock *psync.DeadlockError
	if !errors.As(err, &deadlock) || !errors.Is(err, psync.ErrDeadlock) {
		b.Errorf("Acquire: %v, want a DeadlockError", err)
		return
	}
	if len(deadlock.Cycle) != len(locks) {
		b.Errorf("the cycle has %d waits, want %d: %v", len(deadlock.Cycle), len(locks), err)
		return
	}
	for i, edge := range deadlock.Cycle {
		next := deadlock.Cycle[(i+1)%len(deadlock.Cycle)]
		if edge.Holder.Name != next.Waiter.Name {
			b.Errorf("%s holds what is waited for, but %s waits next: %v", edge.Holder.Name, next.Waiter.Name, err)
		}
		found := false
		for name, holder := range locks {
			if strings.HasSuffix(edge.Resource, `lock "`+name+`"`) {
				found = edge.Holder.Name == holder.Name
			}
		}
		if !found {
			b.Errorf("%s is said to hold %s: %v", edge.Holder.Name, edge.Resource, err)
		}
	}
}

// deadlockAlone: Python hangs here.
func deadlockAlone(b *bench) {
	p, other := b.party("A"), b.party("B")
	l := p.lock("l")
	p.acquire(l)
	_, err := l.Acquire(p.Ctx)
	b.expectCycle(err, map[string]*party{"l": p})
	other.expectHeld(other.lock("l")) // that changed nothing
	p.release(l)
	other.expectFree(other.lock("l"))
}

func deadlockOfTwo(b *bench) {
	b.need(b.Lock != nil && b.RLock != nil, "Lock and RLock")
	p, q := b.party("A"), b.party("B")
	pFirst, pSecond := holdable(p.lock("one")), holdable(p.rlock("two"))
	qFirst, qSecond := holdable(q.rlock("two")), holdable(q.lock("one"))
	p.acquire(pFirst)
	q.acquire(qFirst)
	// Each waits for what the other one has: whoever comes last is refused.
	attempt := func(w *party, first, second holdable) func() error {
		return b.background(func() error {
			_, err := second.Acquire(w.Ctx)
			if err != nil {
				return errors.Join(err, first.Release(w.Ctx))
			}
			return errors.Join(second.Release(w.Ctx), first.Release(w.Ctx))
		})
	}
	a, z := attempt(p, pFirst, pSecond), attempt(q, qFirst, qSecond)
	errs := []error{a(), z()}
	if (errs[0] == nil) == (errs[1] == nil) {
		b.Fatalf("%v and %v, want one of them refused", errs[0], errs[1])
	}
	b.expectCycle(errors.Join(errs...), map[string]*party{"one": p, "two": q})
	p.expectFree(pFirst)
	p.expectFree(pSecond)
}

func deadlockOfMany(b *bench) {
	b.need(b.Lock != nil, "Lock")
	const n = 5
	var ps []*party
	held := map[string]*party{}
	for i := range n {
		p := b.party("P" + strconv.Itoa(i))
		p.acquire(p.lock(strconv.Itoa(i)))
		held[strconv.Itoa(i)] = p
		ps = append(ps, p)
	}
	var mine, others []*psync.Lock
	for i, p := range ps {
		mine = append(mine, p.lock(strconv.Itoa(i)))
		others = append(others, p.lock(strconv.Itoa((i+1)%n)))
	}
	var mu sync.Mutex
	var refused []error
	b.all(ps, func(i int, p *party) {
		mine, next := mine[i], others[i]
		if _, err := next.Acquire(p.Ctx); err != nil {
			mu.Lock()
			refused = append(refused, err)
			mu.Unlock()
		} else if err := next.Release(p.Ctx); err != nil {
			b.Error(err)
		}
		if err := mine.Release(p.Ctx); err != nil {
			b.Error(err)
		}
	})
	if len(refused) != 1 {
		b.Fatalf("%d waits were refused, want that of the last one only: %v", len(refused), refused)
	}
	b.expectCycle(refused[0], held)
}

// strangersLock: a lock that others release is a signal. Its holder does not say
// who will give it back, so that a wait for it is never a deadlock.
func strangersLock(b *bench) {
	p, other := b.party("A"), b.party("B")
	l, o := p.lock("l"), other.lock("l")
	p.acquire(l)
	other.release(o)
	p.acquire(l)
	ctx, cancel := p.within(short)
	defer cancel()
	_, err := l.Acquire(ctx)
	b.expect("Acquire of what one holds", err, context.DeadlineExceeded)
	waited := b.background(func() error { _, err := l.Acquire(p.Ctx); return err })
	other.release(o)
	b.must(waited())
	p.release(l)
	p.expectFree(l)
}
