package psynctest

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/psync"
)

func locksExclude(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		const rounds = 100
		ps := b.parties(kind+"-A", kind+"-B", kind+"-C", kind+"-D")
		locks := opened(ps, open)
		var inside, total atomic.Int32
		b.all(ps, func(i int, p *party) {
			l := locks[i]
			for range rounds {
				err := l.Do(p.Ctx, func() error {
					if n := inside.Add(1); n != 1 {
						b.Errorf("%s: %d parties hold it", kind, n)
					}
					total.Add(1)
					runtime.Gosched() // let others try
					inside.Add(-1)
					return nil
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
		if n := total.Load(); n != int32(len(ps)*rounds) {
			b.Errorf("%s: %d turns, want %d", kind, n, len(ps)*rounds)
		}
	})
}

func tryAcquireOfHeld(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		holder, other := b.party(kind+"-A"), b.party(kind+"-B")
		h, o := open(holder), open(other)
		held := holder.acquire(h)
		other.expectHeld(o)
		b.must(held.Release())
		other.expectFree(o)
	})
	b.need(b.Lock != nil, "Lock")
	p := b.party("A")
	l := p.lock("not recursive")
	p.acquire(l)
	p.expectHeld(l)
	p.release(l)
}

func acquireNeedsOwner(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		p := b.party(kind)
		l := open(p)
		_, err := l.Acquire(p.nobody())
		b.expect(kind+": Acquire", err, psync.ErrNoOwner)
		_, err = l.TryAcquire(p.nobody())
		b.expect(kind+": TryAcquire", err, psync.ErrNoOwner)
		err = l.Do(p.nobody(), func() error {
			b.Errorf("%s: Do called its function though nothing was acquired", kind)
			return nil
		})
		b.expect(kind+": Do", err, psync.ErrNoOwner)
		p.expectFree(l)
	})
}

func endedContext(b *bench) {
	reason := errors.New("enough")
	b.each(func(kind string, open func(*party) holdable) {
		p := b.party(kind)
		l := open(p)
		ctx, cancel := context.WithCancelCause(p.Ctx)
		cancel(reason)
		_, acquired := l.Acquire(ctx)
		_, tried := l.TryAcquire(ctx)
		for name, err := range map[string]error{"Acquire": acquired, "TryAcquire": tried} {
			b.expect(kind+": "+name, err, context.Canceled)
			b.expect(kind+": "+name, err, reason)
		}
		p.expectFree(l)
	})
	p := b.party("A")
	ctx, cancel := context.WithCancelCause(p.Ctx)
	cancel(reason)
	check := func(what string, err error) {
		b.Helper()
		b.expect(what, err, context.Canceled)
		b.expect(what, err, reason)
	}
	if b.Condition != nil {
		c := p.condition("ended")
		p.acquire(c)
		_, err := c.Wait(ctx)
		check("Condition.Wait", err)
		check("Condition.Notify", c.Notify(ctx, 1))
		p.release(c) // Wait did not release it
	}
	if b.Event != nil {
		e := p.event("ended")
		check("Event.Set", e.Set(ctx))
		check("Event.Wait", e.Wait(ctx))
		if set, err := e.IsSet(p.Ctx); set || err != nil {
			b.Errorf("IsSet after a Set that failed: %v, %v", set, err)
		}
	}
	if b.Barrier != nil {
		bar := p.barrier("ended", 1, nil)
		_, err := bar.Wait(ctx)
		check("Barrier.Wait", err)
		if broken, err := bar.Broken(p.Ctx); broken || err != nil {
			b.Errorf("Broken after a Wait that did not begin: %v, %v", broken, err)
		}
	}
	if b.Cells != nil {
		n := number(p, "ended", 1)
		_, err := n.Load(ctx)
		check("Load", err)
		check("Store", n.Store(ctx, 2))
		_, err = n.Add(ctx, 1)
		check("Add", err)
		expectValue(p, &n.Value, 1)
	}
}

func cancelledAcquire(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		holder := b.party(kind)
		h := open(holder)
		held := holder.acquire(h)
		waiters := b.parties(kind+"-A", kind+"-B", kind+"-C")
		locks := opened(waiters, open)
		b.all(waiters, func(i int, p *party) {
			l := locks[i]
			for range 2 {
				ctx, cancel := p.within(short)
				if _, err := l.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
					b.Errorf("%s: Acquire: %v, want DeadlineExceeded", kind, err)
				}
				cancel()
			}
		})
		b.must(held.Release())
		for _, p := range waiters {
			p.expectFree(open(p))
		}
	})
}

// cancelRace acquires with contexts that end at about the moment of the grant: it
// is held if, and only if, there was no error.
func cancelRace(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		ps := b.parties(kind+"-A", kind+"-B", kind+"-C")
		locks := opened(ps, open)
		var inside, gave, got atomic.Int32
		b.all(ps, func(i int, p *party) {
			l := locks[i]
			for turn := range 300 {
				ctx, cancel := p.within(time.Duration(turn%60) * time.Microsecond)
				held, err := l.Acquire(ctx)
				cancel()
				if err != nil {
					if gave.Add(1); !errors.Is(err, context.DeadlineExceeded) {
						b.Errorf("%s: Acquire: %v", kind, err)
						return
					}
					continue
				}
				got.Add(1)
				if n := inside.Add(1); n != 1 {
					b.Errorf("%s: %d parties hold it", kind, n)
				}
				runtime.Gosched()
				inside.Add(-1)
				if err := held.Release(); err != nil {
					b.Errorf("%s: Release: %v", kind, err)
				}
			}
		})
		for _, p := range ps {
			p.expectFree(open(p)) // nobody was given it behind his back
		}
		b.Logf("%s: %d were granted, %d gave up", kind, got.Load(), gave.Load())
	})
}

func releaseAfterContext(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		p, other := b.party(kind+"-A"), b.party(kind+"-B")
		l, o := open(p), open(other)
		ctx, cancel := context.WithCancel(p.Ctx)
		held, err := l.Acquire(ctx)
		b.must(err)
		cancel()
		b.must(held.Release())
		other.acquire(o)
		other.release(o)
		ctx, cancel = context.WithCancel(p.Ctx)
		_, err = l.Acquire(ctx)
		b.must(err)
		cancel()
		b.must(l.Release(ctx))
		other.acquire(o)
		other.release(o)
	})
}

func heldReleasesOnce(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		p, other := b.party(kind+"-A"), b.party(kind+"-B")
		l, o := open(p), open(other)
		held := p.acquire(l)
		b.must(held.Release())
		theirs := other.acquire(o)
		b.must(held.Release()) // must not release what is another's now
		p.expectHeld(l)
		b.must(theirs.Release())
		p.expectFree(l)
		var none psync.Held
		b.must(none.Release())
	})
}

func doReleases(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		p, other := b.party(kind+"-A"), b.party(kind+"-B")
		l, o := open(p), open(other)
		reason := errors.New("failed")
		err := l.Do(p.Ctx, func() error {
			other.expectHeld(o)
			return reason
		})
		b.expect(kind+": Do", err, reason)
		other.acquire(o)
		other.release(o)
		func() {
			defer func() {
				if v := recover(); v != "oh" {
					b.Errorf("%s: recovered %v, want the panic of the function", kind, v)
				}
			}()
			_ = l.Do(p.Ctx, func() error { panic("oh") })
		}()
		other.acquire(o)
		other.release(o)
	})
}

func releaseOfUnlocked(b *bench) {
	b.need(b.Lock != nil || b.RLock != nil, "Lock and RLock")
	p := b.party("A")
	if b.Lock != nil {
		l := p.lock("lock")
		b.expect("Release of a Lock", l.Release(p.Ctx), psync.ErrNotLocked)
		b.expect("Release by nobody", l.Release(p.nobody()), psync.ErrNotLocked)
		p.expectFree(l)
		b.expect("Release after the last", l.Release(p.Ctx), psync.ErrNotLocked)
	}
	if b.RLock != nil {
		l := p.rlock("rlock")
		if err := l.Release(p.Ctx); !errors.Is(err, psync.ErrNotOwner) && !errors.Is(err, psync.ErrNotLocked) {
			b.Errorf("Release of an RLock that nobody holds: %v", err)
		}
		p.expectFree(l)
	}
}

func anyoneMayRelease(b *bench) {
	holder, other, third := b.party("A"), b.party("B"), b.party("C")
	h, o, x := holder.lock("l"), other.lock("l"), third.lock("l")
	for round := range 2 {
		held := holder.acquire(h)
		if round == 0 {
			other.release(o)
		} else {
			b.must(o.Release(other.nobody()))
		}
		third.acquire(x)
		// The holder is told, by that call or by one of its next.
		told := false
		for err := held.Release(); !told; _, err = h.TryAcquire(holder.Ctx) {
			told = errors.Is(err, psync.ErrTakenAway)
			if err != nil && !told && !errors.Is(err, psync.ErrWouldBlock) {
				b.Fatal(err)
			}
			b.must(holder.Ctx.Err())
		}
		holder.expectHeld(h) // that did not release what the third one holds
		third.release(x)
		holder.expectFree(h)
	}
}

func rlockIsCounted(b *bench) {
	p, other := b.party("A"), b.party("B")
	l, o := p.rlock("l"), other.rlock("l")
	for range 3 {
		p.acquire(l)
	}
	held, err := l.TryAcquire(p.Ctx)
	b.must(err)
	b.must(held.Release())
	for range 3 {
		other.expectHeld(o)
		p.release(l)
	}
	other.acquire(o)
	p.expectHeld(l)
	other.release(o)
}

func rlockByHolderOnly(b *bench) {
	p, other := b.party("A"), b.party("B")
	l, o := p.rlock("l"), other.rlock("l")
	p.acquire(l)
	b.expect("Release by another", o.Release(other.Ctx), psync.ErrNotOwner)
	other.expectHeld(o)
	p.release(l)
	other.expectFree(o)
}

// acquirersInOrder has one of those who wait leave, and wants the others served in
// the order in which they came.
func acquirersInOrder(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		const leaver = 2
		holder := b.party(kind)
		held := holder.acquire(open(holder))
		waiters := b.parties(kind+"-0", kind+"-1", kind+"-2", kind+"-3", kind+"-4")
		order := make(chan int, len(waiters))
		left := make(chan error, 1)
		var cancel context.CancelFunc
		for i, p := range waiters {
			ctx := p.Ctx
			if i == leaver {
				ctx, cancel = context.WithCancel(ctx)
				defer cancel()
			}
			l := open(p)
			go func() {
				held, err := l.Acquire(ctx)
				if i == leaver {
					left <- err
					return
				}
				if err != nil {
					b.Error(err)
				}
				order <- i
				if err := held.Release(); err != nil {
					b.Error(err)
				}
			}()
			synctest.Wait()
		}
		cancel()
		b.expect(kind+": cancelled Acquire", <-left, context.Canceled)
		b.must(held.Release())
		for _, want := range []int{0, 1, 3, 4} {
			if got := <-order; got != want {
				b.Errorf("%s: waiter %d was served, want %d", kind, got, want)
			}
		}
	})
}

func acquireTimeout(b *bench) {
	b.each(func(kind string, open func(*party) holdable) {
		holder, p := b.party(kind+"-A"), b.party(kind+"-B")
		held := holder.acquire(open(holder))
		l := open(p)
		start := time.Now()
		ctx, cancel := p.within(3 * time.Second)
		defer cancel()
		_, err := l.Acquire(ctx)
		b.expect(kind+": Acquire", err, context.DeadlineExceeded)
		if d := time.Since(start); d != 3*time.Second {
			b.Errorf("%s: Acquire waited %v, want 3s", kind, d)
		}
		b.must(held.Release())
	})
}
