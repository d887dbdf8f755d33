package psynctest

import (
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/feac4032/multiproc/psync"
)

// expectPermits wants so many permits to be free.
func (p *party) expectPermits(s *psync.Semaphore, want int) {
	p.b.Helper()
	n, err := s.Value(p.Ctx)
	p.b.must(err)
	if n != want {
		p.b.Fatalf("%d permits are free, want %d", n, want)
	}
}

// eachSemaphore checks both kinds of semaphores that the backend has.
func (b *bench) eachSemaphore(check func(kind string, open func(p *party, n int) *psync.Semaphore)) {
	b.Helper()
	b.need(b.Semaphore != nil || b.BoundedSemaphore != nil, "Semaphore and BoundedSemaphore")
	if b.Semaphore != nil {
		check("Semaphore", func(p *party, n int) *psync.Semaphore { return p.semaphore("s", n) })
	}
	if b.BoundedSemaphore != nil {
		check("BoundedSemaphore", func(p *party, n int) *psync.Semaphore { return &p.bounded("bounded", n).Semaphore })
	}
}

func permits(b *bench) {
	b.eachSemaphore(func(kind string, open func(*party, int) *psync.Semaphore) {
		const n = 3
		ps := b.parties(kind+"-A", kind+"-B", kind+"-C", kind+"-D", kind+"-E")
		all := opened(ps, func(p *party) *psync.Semaphore { return open(p, n) })
		first := all[0]
		ps[0].expectPermits(first, n)
		var inside, most atomic.Int32
		b.all(ps, func(i int, p *party) {
			s := all[i]
			for range 100 {
				err := s.Do(p.Ctx, func() error {
					now := inside.Add(1)
					for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
					}
					runtime.Gosched()
					inside.Add(-1)
					return nil
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
		if most.Load() > n {
			b.Errorf("%s: %d had a permit at once, want %d at most", kind, most.Load(), n)
		}
		ps[0].expectPermits(first, n)
		for i := range n {
			ps[0].expectPermits(first, n-i)
			ps[0].acquire(first) // one party may have them all
		}
		ps[1].expectHeld(open(ps[1], n))
		for range n {
			ps[0].release(first)
		}
	})
}

func negativePermits(b *bench) {
	b.need(b.Semaphore != nil || b.BoundedSemaphore != nil, "Semaphore and BoundedSemaphore")
	p := b.party("A")
	for i, open := range []func(Party, string, int) (psync.SemaphoreBackend, error){b.Semaphore, b.BoundedSemaphore} {
		if open == nil {
			continue
		}
		if _, err := open(p.Party, []string{"plain", "bounded"}[i], -1); err == nil {
			b.Error("a semaphore of -1 permits was made")
		}
	}
}

func releaseAdds(b *bench) {
	p, other := b.party("A"), b.party("B")
	s, o := p.semaphore("s", 0), other.semaphore("s", 0)
	p.expectHeld(s)
	getter := b.background(func() error { _, err := o.Acquire(other.Ctx); return err })
	p.release(s) // has none: that makes one
	b.must(getter())
	b.must(s.Release(p.nobody()))
	b.must(s.Release(p.nobody()))
	p.expectPermits(s, 2)
	other.release(o)
	p.expectPermits(s, 3)
}

func overRelease(b *bench) {
	p := b.party("A")
	s := p.bounded("s", 2)
	for _, ctx := range []struct {
		who     string
		release func() error
	}{
		{"A", func() error { return s.Release(p.Ctx) }},
		{"nobody", func() error { return s.Release(p.nobody()) }},
	} {
		b.expect("Release by "+ctx.who, ctx.release(), psync.ErrReleasedTooOften)
		p.expectPermits(&s.Semaphore, 2)
	}
	p.acquire(s)
	p.release(s)
	b.expect("second Release", s.Release(p.Ctx), psync.ErrReleasedTooOften)
	p.expectPermits(&s.Semaphore, 2)
}

// ownPermitFirst: a permit that was settled by its holder's Release does not come
// back a second time at the holder's end.
func ownPermitFirst(b *bench) {
	b.eachSemaphore(func(kind string, open func(*party, int) *psync.Semaphore) {
		p, other, watcher := b.party(kind+"-A"), b.party(kind+"-B"), b.party(kind+"-C")
		s, o, w := open(p, 2), open(other, 2), open(watcher, 2)
		other.acquire(o) // out for longer than the one that is released
		p.acquire(s)
		p.release(s)
		watcher.expectPermits(w, 1)
		p.end(nil)
		watcher.expectPermits(w, 1)
		other.end(nil)
		watcher.expectPermits(w, 2)
	})
}

func oldestPermit(b *bench) {
	p, other, watcher := b.party("A"), b.party("B"), b.party("C")
	s, o, w := p.bounded("s", 2), other.bounded("s", 2), watcher.bounded("s", 2)
	p.acquire(s)
	other.acquire(o)
	watcher.release(w) // settles that of A
	watcher.expectPermits(&w.Semaphore, 1)
	p.end(nil)
	watcher.expectPermits(&w.Semaphore, 1)
	watcher.acquire(w)
	watcher.release(w)
	other.end(errors.New("crashed"))
	watcher.expectPermits(&w.Semaphore, 2)
}

func detachedPermits(b *bench) {
	b.eachSemaphore(func(kind string, open func(*party, int) *psync.Semaphore) {
		p, other := b.party(kind+"-A"), b.party(kind+"-B")
		s, o := open(p, 3), open(other, 3)
		b.must(s.AcquireDetached(p.Ctx))
		b.must(s.AcquireDetached(p.nobody()))
		b.must(s.TryAcquireDetached(p.nobody()))
		b.expect("TryAcquireDetached", s.TryAcquireDetached(p.nobody()), psync.ErrWouldBlock)
		p.end(errors.New("crashed"))
		other.expectPermits(o, 0)
		waiter := b.background(func() error { return o.AcquireDetached(other.nobody()) })
		b.must(o.Release(other.nobody()))
		b.must(waiter())
		for range 3 {
			b.must(o.Release(other.nobody()))
		}
		other.expectPermits(o, 3)
	})
}
