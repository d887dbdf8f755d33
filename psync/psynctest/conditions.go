package psynctest

import (
	"context"
	"errors"
	"sync"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/psync"
)

// waiting lets parties wait for a condition, and wants all of them to be woken by
// NotifyAll; each has called Wait with the lock held when it returns.
type waiting struct {
	b    *bench
	woke chan *party
	errs chan error
}

// await starts a wait that returns with the lock held, notes who woke, and releases.
// It returns once the party holds the lock: whoever gets the lock next knows that
// it waits.
func (w *waiting) await(p *party, c *psync.Condition) {
	w.b.Helper()
	locked := make(chan error, 1)
	go func() {
		_, err := c.Acquire(p.Ctx)
		locked <- err
		if err == nil {
			_, err = c.Wait(p.Ctx)
		}
		if err != nil {
			w.errs <- err
			return
		}
		w.woke <- p
		if err := c.Release(p.Ctx); err != nil {
			w.errs <- err
		}
	}()
	w.b.must(<-locked)
}

func newWaiting(b *bench) *waiting {
	return &waiting{b, make(chan *party, 64), make(chan error, 64)}
}

// next returns who woke next.
func (w *waiting) next() *party {
	w.b.Helper()
	select {
	case p := <-w.woke:
		return p
	case err := <-w.errs:
		w.b.Fatal(err)
	case <-w.b.ctx.Done():
		w.b.Fatal("nobody woke")
	}
	return nil
}

// none wants nobody else to have woken.
func (w *waiting) none() {
	w.b.Helper()
	select {
	case p := <-w.woke:
		w.b.Fatalf("%s woke", p.Name)
	case err := <-w.errs:
		w.b.Fatal(err)
	default:
	}
}

// waitReleases: the lock is free while somebody waits, and his again afterwards.
func waitReleases(b *bench) {
	b.need(b.Condition != nil, "Condition")
	for _, recursive := range []bool{true, false} {
		name := map[bool]string{true: "rlock", false: "lock"}[recursive]
		waiter, other := b.party(name+"-A"), b.party(name+"-B")
		c := psync.OverCondition(b.Condition(waiter.Party, name, recursive), psync.Named(name))
		o := psync.OverCondition(b.Condition(other.Party, name, recursive), psync.Named(name))
		waiter.acquire(c)
		ready := false // guarded by the lock
		waited := b.background(func() error {
			for !ready {
				if _, err := c.Wait(waiter.Ctx); err != nil {
					return err
				}
			}
			other.expectHeld(o)
			return c.Release(waiter.Ctx)
		})
		other.acquire(o)
		ready = true
		b.must(o.Notify(other.Ctx, 1))
		other.release(o)
		b.must(waited())
		other.expectFree(o)
	}
}

func conditionNeedsLock(b *bench) {
	p, other := b.party("A"), b.party("B")
	c, o := p.condition("c"), other.condition("c")
	check := func(when string) {
		b.Helper()
		_, err := c.Wait(p.Ctx)
		b.expect("Wait, lock "+when, err, psync.ErrNotOwner)
		b.expect("Notify, lock "+when, c.Notify(p.Ctx, 1), psync.ErrNotOwner)
		b.expect("NotifyAll, lock "+when, c.NotifyAll(p.Ctx), psync.ErrNotOwner)
	}
	check("free")
	other.acquire(o)
	check("held by another")
	_, err := o.Wait(other.nobody())
	b.expect("Wait by nobody", err, psync.ErrNoOwner)
	if err := o.Notify(other.Ctx, -1); err == nil {
		b.Error("Notify of -1 waiters is no error")
	}
	other.release(o)
	p.expectFree(c)
}

func timedOutWait(b *bench) {
	p, other := b.party("A"), b.party("B")
	c, o := p.condition("c"), other.condition("c")
	p.acquire(c)
	ctx, cancel := p.within(short)
	defer cancel()
	_, err := c.Wait(ctx)
	b.expect("Wait", err, context.DeadlineExceeded)
	other.expectHeld(o)
	p.release(c)
	// It waits no more: a notification is another's.
	w := newWaiting(b)
	w.await(p, c)
	other.acquire(o)
	b.must(o.Notify(other.Ctx, 1))
	other.release(o)
	w.next()
}

// timedOutWaitOfHeld: the deadline counts for the notification, not for the lock.
func timedOutWaitOfHeld(b *bench) {
	p, other := b.party("A"), b.party("B")
	c, o := p.condition("c"), other.condition("c")
	p.acquire(c)
	start := time.Now()
	ctx, cancel := p.within(time.Second)
	defer cancel()
	waited := b.background(func() error {
		_, err := c.Wait(ctx)
		return err
	})
	synctest.Wait()
	other.acquire(o)
	time.Sleep(3 * time.Second)
	other.release(o)
	b.expect("Wait", waited(), context.DeadlineExceeded)
	if d := time.Since(start); d != 3*time.Second {
		b.Errorf("Wait took %v, want the 3s until the lock was free", d)
	}
	other.expectHeld(o)
	p.release(c)
}

func waitRestoresDepth(b *bench) {
	const depth = 3
	p, other := b.party("A"), b.party("B")
	c, o := p.condition("c"), other.condition("c")
	// released wants depth releases, no less and no more.
	released := func() {
		b.Helper()
		for range depth {
			other.expectHeld(o)
			p.release(c)
		}
		other.expectFree(o)
	}
	for range depth {
		p.acquire(c)
	}
	waited := b.background(func() error { _, err := c.Wait(p.Ctx); return err })
	other.acquire(o) // works only when all of it is released
	b.must(o.NotifyAll(other.Ctx))
	other.release(o)
	b.must(waited())
	released()
	for range depth {
		p.acquire(c)
	}
	ctx, cancel := p.within(short)
	defer cancel()
	_, err := c.Wait(ctx)
	b.expect("Wait", err, context.DeadlineExceeded)
	released()
}

func waitFor(b *bench) {
	p, other := b.party("A"), b.party("B")
	c, o := p.condition("c"), other.condition("c")
	n := 0 // guarded by the lock
	p.acquire(c)
	_, err := c.WaitFor(p.Ctx, func() bool { return true })
	b.must(err)
	waited := b.background(func() error {
		_, err := c.WaitFor(p.Ctx, func() bool { return n == 3 })
		return err
	})
	for range 3 {
		other.acquire(o)
		n++
		b.must(o.NotifyAll(other.Ctx))
		other.release(o)
	}
	b.must(waited())
	calls := 0
	ctx, cancel := p.within(short)
	defer cancel()
	_, err = c.WaitFor(ctx, func() bool { calls++; return false })
	b.expect("WaitFor", err, context.DeadlineExceeded)
	if calls != 2 {
		b.Errorf("the predicate was called %d times, want once before and once after the wait", calls)
	}
	other.expectHeld(o)
	ctx, cancel = p.within(short)
	defer cancel()
	calls = 0
	if _, err := c.WaitFor(ctx, func() bool { calls++; return calls == 2 }); err != nil {
		b.Errorf("WaitFor whose predicate holds when the time is over: %v", err)
	}
	p.release(c)
	other.expectFree(o)
}

func notifyInOrder(b *bench) {
	w := newWaiting(b)
	waiters := b.parties("0", "1", "2", "3", "4")
	for _, p := range waiters {
		w.await(p, p.condition("c"))
		synctest.Wait()
	}
	n := b.party("notifier")
	c := n.condition("c")
	for _, step := range []struct {
		n     int
		woken []string
	}{{0, nil}, {2, []string{"0", "1"}}, {1, []string{"2"}}, {9, []string{"3", "4"}}} {
		n.acquire(c)
		b.must(c.Notify(n.Ctx, step.n))
		synctest.Wait()
		w.none() // nobody goes on before the lock is released
		n.release(c)
		synctest.Wait()
		for _, want := range step.woken {
			if p := w.next(); p.Name != want {
				b.Errorf("Notify(%d) woke %s, want %s", step.n, p.Name, want)
			}
		}
		w.none()
	}
}

func notifyNotRemembered(b *bench) {
	p := b.party("A")
	c := p.condition("c")
	p.acquire(c)
	b.must(c.Notify(p.Ctx, 5))
	b.must(c.NotifyAll(p.Ctx))
	ctx, cancel := p.within(short)
	defer cancel()
	_, err := c.Wait(ctx)
	b.expect("Wait after a Notify that nobody waited for", err, context.DeadlineExceeded)
	p.release(c)
}

func notifyAll(b *bench) {
	w := newWaiting(b)
	waiters := b.parties("A", "B", "C", "D")
	for _, p := range waiters {
		w.await(p, p.condition("c"))
	}
	n := b.party("notifier")
	c := n.condition("c")
	n.acquire(c) // the last one has released it, so all of them wait
	b.must(c.NotifyAll(n.Ctx))
	n.release(c)
	woke := map[string]bool{}
	for range waiters {
		woke[w.next().Name] = true
	}
	if len(woke) != len(waiters) {
		b.Errorf("%v woke, want all of them", woke)
	}
}

// notifyRace has consumers that give up at about the moment of the notification.
// One that is lost leaves an item that the patient one never hears of.
func notifyRace(b *bench) {
	const items = 300
	patient, producer := b.party("patient"), b.party("producer")
	queued, closed := 0, false // guarded by the lock
	taken := make(chan struct{}, items)
	c, theirs := producer.condition("c"), patient.condition("c")
	var all sync.WaitGroup
	for _, p := range b.parties("A", "B") {
		c := p.condition("c")
		all.Go(func() {
			for turn := 0; ; turn++ {
				held, err := c.Acquire(p.Ctx)
				if err != nil {
					b.Error(err)
					return
				}
				ctx, cancel := p.within(time.Duration(20+turn%60) * time.Microsecond)
				_, err = c.Wait(ctx)
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					b.Error(err)
				}
				if err == nil && queued > 0 {
					queued--
					taken <- struct{}{}
				}
				done := closed
				if err := held.Release(); err != nil {
					b.Error(err)
				}
				if done {
					return
				}
			}
		})
	}
	all.Go(func() {
		c := theirs
		err := c.Do(patient.Ctx, func() error {
			for !closed || queued > 0 {
				if queued > 0 {
					queued--
					taken <- struct{}{}
					continue
				}
				if _, err := c.Wait(patient.Ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Error(err)
		}
	})
	for range items {
		b.must(c.Do(producer.Ctx, func() error {
			queued++
			return c.Notify(producer.Ctx, 1)
		}))
	}
	for n := range items {
		select {
		case <-taken:
		case <-b.ctx.Done():
			b.Fatalf("%d items were taken, want %d: a notification was lost", n, items)
		}
	}
	b.must(c.Do(producer.Ctx, func() error {
		closed = true
		return c.NotifyAll(producer.Ctx)
	}))
	all.Wait()
}
