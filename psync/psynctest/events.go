package psynctest

import (
	"context"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/psync"
)

func (p *party) expectSet(e *psync.Event, want bool) {
	p.b.Helper()
	set, err := e.IsSet(p.Ctx)
	p.b.must(err)
	if set != want {
		p.b.Errorf("IsSet = %v, want %v", set, want)
	}
}

func eventWaits(b *bench) {
	p := b.party("A")
	e := p.event("e")
	p.expectSet(e, false)
	waiters := b.parties("B", "C", "D")
	var woken []func() error
	for _, w := range waiters {
		theirs := w.event("e")
		woken = append(woken, b.background(func() error { return theirs.Wait(w.nobody()) }))
	}
	b.must(e.Set(p.nobody()))
	b.must(e.Set(p.Ctx))
	for _, done := range woken {
		b.must(done())
	}
	p.expectSet(e, true)
	b.must(e.Wait(p.Ctx))
	b.must(e.Clear(p.Ctx))
	p.expectSet(e, false)
	ctx, cancel := p.within(short)
	defer cancel()
	b.expect("Wait after Clear", e.Wait(ctx), context.DeadlineExceeded)
	b.must(e.Set(p.Ctx))
	b.must(e.Wait(p.Ctx))
}

func setThenClear(b *bench) {
	p := b.party("A")
	e := p.event("e")
	var woken []func() error
	for _, w := range b.parties("B", "C", "D") {
		theirs := w.event("e")
		woken = append(woken, b.background(func() error { return theirs.Wait(w.Ctx) }))
	}
	synctest.Wait()
	b.must(e.Set(p.Ctx))
	b.must(e.Clear(p.Ctx))
	for _, done := range woken {
		b.must(done())
	}
	p.expectSet(e, false)
}

func eventTimeout(b *bench) {
	p := b.party("A")
	e := p.event("e")
	start := time.Now()
	ctx, cancel := p.within(3 * time.Second)
	defer cancel()
	b.expect("Wait", e.Wait(ctx), context.DeadlineExceeded)
	if d := time.Since(start); d != 3*time.Second {
		b.Errorf("Wait took %v, want 3s", d)
	}
}
