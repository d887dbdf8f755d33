package broker

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/feac4032/multiproc/task"
)

// Barrier lets n parties wait for each other; Python's Barrier. When the nth has
// come all go on together, and the next n can come: a generation.
type Barrier struct {
	name   string
	n      int
	action func() error

	mu      sync.Mutex
	line    line  // who waits, those of the next generation behind those of this one
	running bool  // the action is; the first n of the line wait for it
	epoch   int   // counts what makes the outcome of an action that still runs void
	broken  error // what every wait gets
	removed error
}

// NewBarrier makes a barrier for n parties, at least 1. The action, if there is
// one, is run once for each generation, in a goroutine of its own, after the last
// party has come and before the first one goes on.
func NewBarrier(name string, n int, action func() error) (*Barrier, error) {
	if n < 1 {
		return nil, fmt.Errorf("%d parties, at least 1 is wanted: %w", n, ErrRange)
	}
	return &Barrier{name: name, n: n, action: action}, nil
}

// Name is the name that it was made with.
func (b *Barrier) Name() string { return b.name }

// Resource is what messages call it.
func (b *Barrier) Resource() string { return "barrier " + strconv.Quote(b.name) }

// Wait waits until n parties wait, and for the action. The ticket's Index is then
// which of them it is, in the order in which they came: 0 to n-1, each once. It
// needs no owner.
//
// The barrier breaks for all who wait, who get ErrBroken, when one of them gives
// up (a Cancel, whose cause that one gets, or the end of its owner), also while the
// action runs; when the action fails, whose error or *task.PanicError is then
// wrapped; and by Abort. It stays broken until it is Reset.
func (b *Barrier) Wait(t *Ticket) {
	var out settlements
	b.mu.Lock()
	switch {
	case b.broken != nil:
		out.settle(t, b.broken)
	case t.enter(b, &b.mu, &out):
		b.line.push(t)
		b.trip(&out)
	}
	b.mu.Unlock()
	out.run()
}

// trip begins to let a generation go on, if it is complete.
func (b *Barrier) trip(out *settlements) {
	for b.line.n >= b.n && !b.running {
		if b.action != nil {
			b.running = true
			go b.act(b.epoch)
			return
		}
		b.pass(out)
	}
}

// pass lets a generation go on.
func (b *Barrier) pass(out *settlements) {
	for i := range b.n {
		t := b.line.head
		b.line.remove(t)
		t.leave()
		t.Index = i
		out.settle(t, nil)
	}
}

// act runs the action. If nothing happened to those who wait for it, it lets them
// go on, or breaks the barrier.
func (b *Barrier) act(epoch int) {
	err := errGoexit // what stands unless the action returns or panics
	defer func() {
		if v := recover(); v != nil {
			err = task.NewPanicError(v, actFrame)
		}
		var out settlements
		b.mu.Lock()
		b.running = false
		switch {
		case b.epoch != epoch:
		case err != nil:
			b.breakUp(fmt.Errorf("%w: its action: %w", ErrBroken, err), &out)
		default:
			b.pass(&out)
		}
		b.trip(&out)
		b.mu.Unlock()
		out.run()
	}()
	err = b.action()
}

// actFrame is the function under which the stack of a panic is the action's.
const actFrame = "github.com/feac4032/multiproc/internal/broker.(*Barrier).act"

var errGoexit = errors.New("it called runtime.Goexit")

// breakUp gives err to all who wait now, and later.
func (b *Barrier) breakUp(err error, out *settlements) {
	b.epoch++
	b.broken = err
	b.line.settleAll(err, out)
}

// Abort breaks the barrier: ErrBroken for all who wait now or later.
func (b *Barrier) Abort() {
	var out settlements
	b.mu.Lock()
	if b.broken == nil {
		b.breakUp(fmt.Errorf("%w: aborted", ErrBroken), &out)
	}
	b.mu.Unlock()
	out.run()
}

// Reset makes the barrier new, and whole if it was broken. Who waits gets
// ErrBroken. An action that runs goes on; nobody learns how it ends, and no other
// one begins before.
func (b *Barrier) Reset() {
	var out settlements
	b.mu.Lock()
	if b.removed == nil {
		b.breakUp(fmt.Errorf("%w: reset", ErrBroken), &out)
		b.broken = nil
	}
	b.mu.Unlock()
	out.run()
}

// State returns for how many parties it is, how many of them wait, and whether it
// is broken.
func (b *Barrier) State() (parties, waiting int, broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n, b.line.n, b.broken != nil
}

// withdraw implements station. The cause is told as text only: that the context of
// one has ended is not true for the others.
func (b *Barrier) withdraw(t *Ticket, cause error, out *settlements) {
	b.line.remove(t)
	t.leave()
	out.settle(t, cause)
	who := "one of its parties"
	if t.Owner != nil {
		who = t.Owner.Identity().String()
	}
	b.breakUp(fmt.Errorf("%w: %s gave up: %v", ErrBroken, who, cause), out)
}

// Remove ends the barrier: all who wait get cause, and so does every later Wait.
func (b *Barrier) Remove(cause error) {
	var out settlements
	b.mu.Lock()
	if b.removed == nil {
		b.removed = cause
		b.breakUp(cause, &out)
	}
	b.mu.Unlock()
	out.run()
}
