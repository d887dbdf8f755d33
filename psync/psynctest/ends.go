package psynctest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing/synctest"

	"github.com/feac4032/multiproc/psync"
)

var errCrash = errors.New("killed")

// holderEnds: who waits for what an ended party held gets it, and learns whose it
// was; who comes later does not. Without a bubble nobody knows whether the one who
// waits does so already, which makes no difference.
func holderEnds(b *bench) { handOver(b, func() {}) }

func holderEndsBeforeWaiter(b *bench) { handOver(b, synctest.Wait) }

func handOver(b *bench, settle func()) {
	b.each(func(kind string, open func(*party) holdable) {
		for _, cause := range []error{nil, errCrash} {
			name := fmt.Sprintf("%s-%v-", kind, cause)
			holder, waiter, later := b.party(name+"A"), b.party(name+"B"), b.party(name+"C")
			l := open(holder)
			holder.acquire(l)
			if kind == "RLock" || kind == "Condition" {
				holder.acquire(l)
			}
			w := open(waiter)
			var got psync.Held
			granted := b.background(func() (err error) {
				got, err = w.Acquire(waiter.Ctx)
				return err
			})
			settle()
			holder.end(cause)
			b.must(granted())
			b.expectAbandoned(kind, got.Abandoned, holder, cause != nil)
			later.expectHeld(open(later))
			b.must(got.Release())
			later.acquire(open(later))
			later.release(open(later))
		}
	})
}

func holderEndsAlone(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		holder, next := b.party(kind+"-A"), b.party(kind+"-B")
		holder.acquire(open(holder))
		holder.end(errCrash)
		l := open(next)
		held, err := l.TryAcquire(next.Ctx)
		b.must(err)
		b.expectAbandoned(kind, held.Abandoned, holder, true)
		b.must(held.Release())
		next.acquire(l)
		next.release(l)
	})
}

func releasedIsClean(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		holder, next := b.party(kind+"-A"), b.party(kind+"-B")
		l := open(holder)
		holder.acquire(l)
		holder.release(l)
		holder.end(errCrash)
		next.acquire(open(next))
		next.release(open(next))
	})
}

func endedOwner(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		p, other := b.party(kind+"-A"), b.party(kind+"-B")
		l := open(p)
		p.acquire(l)
		p.release(l)
		p.end(nil)
		for range 2 {
			if _, err := l.Acquire(p.Ctx); !errors.Is(err, psync.ErrEnded) && !errors.Is(err, psync.ErrLost) {
				b.Errorf("%s: Acquire after the owner's end: %v, want ErrEnded, or ErrLost with its process", kind, err)
			}
		}
		other.acquire(open(other))
		other.release(open(other))
	})
}

func waiterEnds(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		holder, waiter, next := b.party(kind+"-A"), b.party(kind+"-B"), b.party(kind+"-C")
		l := open(holder)
		holder.acquire(l)
		waits := make([]func() error, 2)
		for i, p := range []*party{waiter, next} {
			theirs := open(p)
			waits[i] = b.background(func() error { _, err := theirs.Acquire(p.Ctx); return err })
			synctest.Wait()
		}
		waiter.end(errCrash)
		if err := waits[0](); !errors.Is(err, psync.ErrEnded) && !errors.Is(err, psync.ErrLost) {
			b.Errorf("%s: Acquire of an owner that ended meanwhile: %v", kind, err)
		}
		holder.release(l)
		b.must(waits[1]())
		next.release(open(next))
	})
}

// conditionWaits has parties wait for a condition, in their order; results come in
// the order in which the waits return, with the lock held unless there is an error.
func conditionWaits(b *bench, ps ...*party) <-chan woken {
	results := make(chan woken, len(ps))
	for _, p := range ps {
		c := p.condition("c")
		go func() {
			_, err := c.Acquire(p.Ctx)
			var a *psync.Abandoned
			if err == nil {
				a, err = c.Wait(p.Ctx)
			}
			results <- woken{p, a, err}
		}()
		synctest.Wait()
	}
	return results
}

type woken struct {
	p         *party
	abandoned *psync.Abandoned
	err       error
}

// expectNext wants p to be the next whose wait returned.
func (b *bench) expectNext(results <-chan woken, p *party) woken {
	b.Helper()
	synctest.Wait()
	select {
	case w := <-results:
		if w.p != p {
			b.Fatalf("the wait of %s returned (%v), want that of %s", w.p.Name, w.err, p.Name)
		}
		return w
	default:
		b.Fatalf("the wait of %s has not returned", p.Name)
		return woken{}
	}
}

func (b *bench) expectNoNext(results <-chan woken) {
	b.Helper()
	synctest.Wait()
	select {
	case w := <-results:
		b.Fatalf("the wait of %s returned: %v", w.p.Name, w.err)
	default:
	}
}

// waiterPassesNotify: one that is notified, but ends before it has the lock, has
// not used the notification up.
func waiterPassesNotify(b *bench) {
	first, second, notifier := b.party("A"), b.party("B"), b.party("C")
	results := conditionWaits(b, first, second)
	c := notifier.condition("c")
	notifier.acquire(c)
	b.must(c.Notify(notifier.Ctx, 1))
	first.end(errCrash)
	if w := b.expectNext(results, first); w.err == nil {
		b.Error("the wait of an owner that ended has no error")
	}
	b.expectNoNext(results)
	notifier.release(c)
	b.must(b.expectNext(results, second).err)
	second.release(second.condition("c"))
}

// waiterKeepsNotify: one that ends with the lock has used the notification up.
func waiterKeepsNotify(b *bench) {
	first, second, notifier := b.party("A"), b.party("B"), b.party("C")
	results := conditionWaits(b, first, second)
	c := notifier.condition("c")
	notifier.acquire(c)
	b.must(c.Notify(notifier.Ctx, 1))
	notifier.release(c)
	b.must(b.expectNext(results, first).err)
	first.end(errCrash)
	b.expectNoNext(results)
	held, err := c.TryAcquire(notifier.Ctx)
	b.must(err)
	b.expectAbandoned("the lock", held.Abandoned, first, true)
	b.must(c.Notify(notifier.Ctx, 1))
	b.must(held.Release())
	b.must(b.expectNext(results, second).err)
	second.release(second.condition("c"))
}

func waiterIsTold(b *bench) {
	waiter, notifier := b.party("A"), b.party("B")
	results := conditionWaits(b, waiter)
	c := notifier.condition("c")
	notifier.acquire(c)
	b.must(c.Notify(notifier.Ctx, 1))
	notifier.end(errCrash)
	w := b.expectNext(results, waiter)
	b.must(w.err)
	b.expectAbandoned("the lock", w.abandoned, notifier, true)
	waiter.release(waiter.condition("c"))
}

func signalsAfterEnd(b *bench) {
	b.need(b.Event != nil || b.Condition != nil, "Event and Condition")
	p := b.party("A")
	if b.Event != nil {
		gone, stays := b.party("event-B"), b.party("event-C")
		waits := make([]func() error, 2)
		for i, w := range []*party{gone, stays} {
			e := w.event("e")
			waits[i] = b.background(func() error { return e.Wait(w.Ctx) })
		}
		synctest.Wait()
		gone.end(errCrash)
		if err := waits[0](); err == nil {
			b.Error("Wait of an owner that ended has no error")
		}
		b.must(p.event("e").Set(p.Ctx))
		b.must(waits[1]())
	}
	if b.Condition != nil {
		gone, stays := b.party("condition-B"), b.party("condition-C")
		results := conditionWaits(b, gone, stays)
		gone.end(errCrash)
		b.expectNext(results, gone)
		c := p.condition("c")
		p.acquire(c)
		b.must(c.NotifyAll(p.Ctx))
		p.release(c)
		b.must(b.expectNext(results, stays).err)
		stays.release(stays.condition("c"))
	}
}

func barrierWaiterEnds(b *bench) {
	ps := b.parties("A", "B", "C")
	waits := make([]func() error, len(ps))
	for i, p := range ps {
		bar := p.barrier("b", len(ps)+1, nil)
		waits[i] = b.background(func() error { _, err := bar.Wait(p.Ctx); return err })
	}
	synctest.Wait()
	ps[1].end(errCrash)
	if err := waits[1](); err == nil {
		b.Error("Wait of an owner that ended has no error")
	}
	b.expect("Wait with one that ended", waits[0](), psync.ErrBroken)
	b.expect("Wait with one that ended", waits[2](), psync.ErrBroken)
	ps[0].expectBroken(ps[0].barrier("b", len(ps)+1, nil), true)
}

// endRace has parties end while they hold, wait or are just being served: what
// they leave behind always comes to the next.
func endRace(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		var held atomic.Int32
		stays := b.party(kind + "-stays")
		var leaving []*party
		for i := range 24 {
			leaving = append(leaving, b.party(fmt.Sprintf("%s-%d", kind, i)))
		}
		locks := opened(leaving, open)
		b.all(leaving, func(i int, p *party) {
			l := locks[i]
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if i%2 == 0 {
					p.end(errCrash) // maybe before, maybe while it waits, maybe after
				}
			}()
			if _, err := l.Acquire(p.Ctx); err == nil {
				held.Add(1)
			} else if i%2 == 1 {
				b.Errorf("%s: Acquire: %v", kind, err)
			}
			<-ended
			p.end(errCrash)
		})
		l := open(stays)
		if _, err := l.Acquire(stays.Ctx); err != nil {
			b.Errorf("%s: Acquire after all others have ended: %v", kind, err)
		}
		if held.Load() < int32(len(leaving)/2) {
			b.Errorf("%s: %d of %d were served", kind, held.Load(), len(leaving))
		}
		stays.release(l)
		stays.expectFree(l)
	})
}
