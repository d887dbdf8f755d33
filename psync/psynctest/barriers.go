package psynctest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing/synctest"

	"github.com/feac4032/multiproc/psync"
)

func (p *party) expectBroken(bar *psync.Barrier, want bool) {
	p.b.Helper()
	broken, err := bar.Broken(p.Ctx)
	p.b.must(err)
	if broken != want {
		p.b.Errorf("Broken = %v, want %v", broken, want)
	}
}

func (p *party) expectWaiting(bar *psync.Barrier, want int) {
	p.b.Helper()
	n, err := bar.Waiting(p.Ctx)
	p.b.must(err)
	if n != want {
		p.b.Errorf("%d wait, want %d", n, want)
	}
}

func barrierIndexes(b *bench) {
	ps := b.parties("A", "B", "C")
	const rounds = 50
	var seen [rounds][3]atomic.Int32
	bars := opened(ps, func(p *party) *psync.Barrier { return p.barrier("b", len(ps), nil) })
	b.all(ps, func(i int, p *party) {
		bar := bars[i]
		for round := range rounds {
			i, err := bar.Wait(p.nobody()) // needs no owner
			if err != nil || i < 0 || i >= len(ps) {
				b.Errorf("Wait = %d, %v", i, err)
				return
			}
			seen[round][i].Add(1)
		}
	})
	for round := range seen {
		for i := range seen[round] {
			if n := seen[round][i].Load(); n != 1 {
				b.Fatalf("round %d: %d parties got the index %d", round, n, i)
			}
		}
	}
	bar := bars[0]
	if n, err := bar.Parties(ps[0].Ctx); n != len(ps) || err != nil {
		b.Errorf("Parties = %d, %v, want %d", n, err, len(ps))
	}
	ps[0].expectWaiting(bar, 0)
	ps[0].expectBroken(bar, false)
	alone := ps[0].barrier("alone", 1, nil)
	for range 2 {
		if i, err := alone.Wait(ps[0].Ctx); i != 0 || err != nil {
			b.Errorf("Wait at a barrier for one = %d, %v", i, err)
		}
	}
}

func barrierAction(b *bench) {
	ps := b.parties("A", "B", "C")
	const rounds = 20
	var ran atomic.Int32
	action := func() error { ran.Add(1); return nil }
	bars := opened(ps, func(p *party) *psync.Barrier { return p.barrier("b", len(ps), action) })
	b.all(ps, func(i int, p *party) {
		for round := range rounds {
			if _, err := bars[i].Wait(p.Ctx); err != nil {
				b.Error(err)
				return
			}
			// The next round's cannot have run: this party has yet to come.
			if n := ran.Load(); n != int32(round+1) {
				b.Errorf("the action has run %d times after round %d", n, round+1)
			}
		}
	})
}

func barrierActionFails(b *bench) {
	reason := errors.New("no disk")
	for name, action := range map[string]func() error{
		"error": func() error { return reason },
		"panic": func() error { panic("no disk") },
	} {
		ps := b.parties(name+"-A", name+"-B")
		bars := opened(ps, func(p *party) *psync.Barrier { return p.barrier(name, len(ps), action) })
		b.all(ps, func(i int, p *party) {
			_, err := bars[i].Wait(p.Ctx)
			b.expect("Wait whose action fails by "+name, err, psync.ErrBroken)
		})
		ps[0].expectBroken(bars[0], true)
		_, err := bars[0].Wait(ps[0].Ctx)
		b.expect("Wait at a broken barrier", err, psync.ErrBroken)
	}
}

func barrierTimeout(b *bench) {
	ps := b.parties("A", "B", "C")
	bars := opened(ps, func(p *party) *psync.Barrier { return p.barrier("b", len(ps)+1, nil) })
	impatient, patient := ps[0], ps[1:]
	var waits []func() error
	for i, p := range patient {
		waits = append(waits, b.background(func() error { _, err := bars[i+1].Wait(p.Ctx); return err }))
	}
	for broken := false; !broken; { // a context that ends before Wait begins changes nothing
		ctx, cancel := impatient.within(short)
		_, err := bars[0].Wait(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			b.Fatalf("Wait whose time is over: %v, want DeadlineExceeded", err)
		}
		broken, err = bars[0].Broken(impatient.Ctx)
		b.must(err)
	}
	for i, wait := range waits {
		err := wait()
		b.expect("Wait by "+patient[i].Name, err, psync.ErrBroken)
		if errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("%s, whose time is not over, is told that it is: %v", patient[i].Name, err)
		}
	}
	b.must(bars[1].Reset(ps[1].Ctx))
	ps[0].expectBroken(bars[0], false)
}

func barrierAbort(b *bench) {
	ps := b.parties("A", "B")
	var waits []func() error
	for _, p := range ps {
		bar := p.barrier("b", 3, nil)
		waits = append(waits, b.background(func() error { _, err := bar.Wait(p.Ctx); return err }))
	}
	p := b.party("C")
	bar := p.barrier("b", 3, nil)
	b.must(bar.Abort(p.Ctx))
	b.must(bar.Abort(p.Ctx))
	for _, wait := range waits {
		b.expect("Wait", wait(), psync.ErrBroken) // whether it began before or after
	}
	p.expectBroken(bar, true)
	p.expectWaiting(bar, 0)
	_, err := bar.Wait(p.Ctx)
	b.expect("Wait after Abort", err, psync.ErrBroken)
}

func barrierReset(b *bench) {
	p := b.party("A")
	bar := p.barrier("b", 3, nil)
	start := func(names ...string) []func() error {
		var waits []func() error
		for _, w := range b.parties(names...) {
			theirs := w.barrier("b", 3, nil)
			waits = append(waits, b.background(func() error { _, err := theirs.Wait(w.Ctx); return err }))
		}
		synctest.Wait()
		return waits
	}
	waits := start("B", "C")
	p.expectWaiting(bar, 2)
	b.must(bar.Reset(p.Ctx))
	for _, wait := range waits {
		b.expect("Wait at a barrier that is reset", wait(), psync.ErrBroken)
	}
	p.expectBroken(bar, false)
	p.expectWaiting(bar, 0)
	waits = start("D", "E")
	p.expectWaiting(bar, 2)
	_, err := bar.Wait(p.Ctx)
	b.must(err)
	for _, wait := range waits {
		b.must(wait())
	}
}

func barrierOfNone(b *bench) {
	b.need(b.Barrier != nil, "Barrier")
	p := b.party("A")
	for _, n := range []int{0, -1} {
		if _, err := b.Barrier(p.Party, "b", n, nil); err == nil {
			b.Errorf("a barrier for %d parties was made", n)
		}
	}
}
