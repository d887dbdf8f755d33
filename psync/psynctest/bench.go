package psynctest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/task"
)

// bench is what one behaviour is checked with.
type bench struct {
	*testing.T
	Harness
	ctx context.Context
}

func newBench(t *testing.T, h Harness) *bench {
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	return &bench{T: t, Harness: h, ctx: ctx}
}

// party is a party that opens objects.
type party struct {
	Party
	b *bench
}

// party starts a party, which ends with the behaviour at the latest.
func (b *bench) party(name string) *party {
	p := b.Party(b.ctx, name)
	b.Cleanup(func() { p.End(nil) })
	return &party{p, b}
}

// parties starts one for each name.
func (b *bench) parties(names ...string) []*party {
	ps := make([]*party, len(names))
	for i, name := range names {
		ps[i] = b.party(name)
	}
	return ps
}

// end ends the party, in time.
func (p *party) end(cause error) {
	p.b.Helper()
	start := time.Now()
	p.End(cause)
	if d := time.Since(start); d > release {
		p.b.Errorf("the end of %s took effect after %v, want %v at most", p.Name, d, release)
	}
}

// nobody is the party's context without its owner.
func (p *party) nobody() context.Context { return owner.With(p.Ctx, nil) }

// within is the party's context, which ends after a time.
func (p *party) within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.Ctx, d)
}

// need skips what the backend does not have.
func (b *bench) need(has bool, what string) {
	b.Helper()
	if !has {
		b.Skipf("the backend has no %s", what)
	}
}

func (p *party) lock(name string) *psync.Lock {
	p.b.Helper()
	p.b.need(p.b.Lock != nil, "Lock")
	return psync.OverLock(p.b.Lock(p.Party, name), psync.Named(name))
}

func (p *party) rlock(name string) *psync.RLock {
	p.b.Helper()
	p.b.need(p.b.RLock != nil, "RLock")
	return psync.OverRLock(p.b.RLock(p.Party, name), psync.Named(name))
}

func (p *party) semaphore(name string, n int) *psync.Semaphore {
	p.b.Helper()
	p.b.need(p.b.Semaphore != nil, "Semaphore")
	s, err := p.b.Semaphore(p.Party, name, n)
	p.b.must(err)
	return psync.OverSemaphore(s, psync.Named(name))
}

func (p *party) bounded(name string, n int) *psync.BoundedSemaphore {
	p.b.Helper()
	p.b.need(p.b.BoundedSemaphore != nil, "BoundedSemaphore")
	s, err := p.b.BoundedSemaphore(p.Party, name, n)
	p.b.must(err)
	return psync.OverBoundedSemaphore(s, psync.Named(name))
}

func (p *party) condition(name string) *psync.Condition {
	p.b.Helper()
	p.b.need(p.b.Condition != nil, "Condition")
	return psync.OverCondition(p.b.Condition(p.Party, name, true), psync.Named(name))
}

func (p *party) event(name string) *psync.Event {
	p.b.Helper()
	p.b.need(p.b.Event != nil, "Event")
	return psync.OverEvent(p.b.Event(p.Party, name), psync.Named(name))
}

func (p *party) barrier(name string, n int, action func() error) *psync.Barrier {
	p.b.Helper()
	p.b.need(p.b.Barrier != nil, "Barrier")
	b, err := p.b.Barrier(p.Party, name, n, action)
	p.b.need(!errors.Is(err, errors.ErrUnsupported), "Barrier with an action")
	p.b.must(err)
	return psync.OverBarrier(b, psync.Named(name))
}

// cells opens cells of these values.
func cells[T any](p *party, name string, values ...T) psync.CellsBackend {
	p.b.Helper()
	p.b.need(p.b.Cells != nil, "Value, Number and Array")
	encoded := make([][]byte, len(values))
	for i, v := range values {
		var err error
		encoded[i], err = task.Encode(nil, v)
		p.b.must(err)
	}
	return p.b.Cells(p.Party, name, encoded)
}

func value[T comparable](p *party, name string, v T) *psync.Value[T] {
	p.b.Helper()
	return psync.OverValue[T](cells(p, name, v), psync.Named(name))
}

func number[T psync.Numeric](p *party, name string, v T) *psync.Number[T] {
	p.b.Helper()
	return psync.OverNumber[T](cells(p, name, v), psync.Named(name))
}

func array[T any](p *party, name string, values ...T) *psync.Array[T] {
	p.b.Helper()
	return psync.OverArray[T](cells(p, name, values...), psync.Named(name))
}

// holdable is what is acquired and released.
type holdable interface {
	Acquire(ctx context.Context) (psync.Held, error)
	TryAcquire(ctx context.Context) (psync.Held, error)
	Release(ctx context.Context) error
	Do(ctx context.Context, f func() error) error
}

// kinds are the things that one party at a time holds, opened by that party.
var kinds = []struct {
	name string
	has  func(*bench) bool
	open func(p *party) holdable
}{
	{"Lock", func(b *bench) bool { return b.Lock != nil }, func(p *party) holdable { return p.lock("lock") }},
	{"RLock", func(b *bench) bool { return b.RLock != nil }, func(p *party) holdable { return p.rlock("rlock") }},
	{"Semaphore", func(b *bench) bool { return b.Semaphore != nil }, func(p *party) holdable { return p.semaphore("semaphore", 1) }},
	{"BoundedSemaphore", func(b *bench) bool { return b.BoundedSemaphore != nil }, func(p *party) holdable { return p.bounded("bounded", 1) }},
	{"Condition", func(b *bench) bool { return b.Condition != nil }, func(p *party) holdable { return p.condition("condition") }},
}

// each checks every kind of thing that the backend has and that is held.
func (b *bench) each(check func(kind string, open func(*party) holdable)) {
	b.Helper()
	any := false
	for _, k := range kinds {
		if k.has(b) {
			any = true
			check(k.name, k.open)
		}
	}
	b.need(any, "objects that are held")
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// acquire acquires, and wants it to be clean.
func (p *party) acquire(l holdable) psync.Held {
	p.b.Helper()
	held, err := l.Acquire(p.Ctx)
	p.b.must(err)
	if held.Abandoned != nil {
		p.b.Errorf("%s got what %v abandoned, want it to have been given back", p.Name, held.Abandoned.Identity)
	}
	return held
}

func (p *party) release(l holdable) {
	p.b.Helper()
	p.b.must(l.Release(p.Ctx))
}

// expectHeld wants somebody else to hold it.
func (p *party) expectHeld(l holdable) {
	p.b.Helper()
	if _, err := l.TryAcquire(p.Ctx); !errors.Is(err, psync.ErrWouldBlock) {
		p.b.Fatalf("TryAcquire by %s: %v, want ErrWouldBlock", p.Name, err)
	}
}

// expectFree wants nobody to hold it.
func (p *party) expectFree(l holdable) {
	p.b.Helper()
	held, err := l.TryAcquire(p.Ctx)
	if err != nil {
		p.b.Fatalf("TryAcquire by %s: %v, want it to be free", p.Name, err)
	}
	p.b.must(held.Release())
}

// expectAbandoned wants a to name who has left.
func (b *bench) expectAbandoned(what string, a *psync.Abandoned, by *party, cause bool) {
	b.Helper()
	switch {
	case a == nil:
		b.Errorf("%s is clean, want it abandoned by %s", what, by.Name)
	case a.Name != by.Name:
		b.Errorf("%s was abandoned by %q, want %q", what, a.Name, by.Name)
	case cause != (a.Cause != nil):
		b.Errorf("%s was abandoned with the cause %v", what, a.Cause)
	}
}

// expect wants an error.
func (b *bench) expect(what string, err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("%s: %v, want %v", what, err, want)
	}
}

// background runs f, and returns a function that waits for its error.
func (b *bench) background(f func() error) func() error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return func() error {
		b.Helper()
		// What waits ends with the behaviour's context, but its error says more.
		select {
		case err := <-done:
			return err
		case <-b.ctx.Done():
		}
		select {
		case err := <-done:
			return err
		case <-time.After(time.Second):
			b.Fatal("still blocked")
			return nil
		}
	}
}

// opened opens something for every party. It is for the test's own goroutine, since
// what cannot be opened ends the behaviour.
func opened[T any](ps []*party, open func(*party) T) []T {
	all := make([]T, len(ps))
	for i, p := range ps {
		all[i] = open(p)
	}
	return all
}

// all runs f for every party at once, and waits for them.
func (b *bench) all(ps []*party, f func(i int, p *party)) {
	var done sync.WaitGroup
	for i, p := range ps {
		done.Go(func() { f(i, p) })
	}
	done.Wait()
}
