package thread

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
)

func TestJoin_OfItselfIsACycleOfOne(t *testing.T) {
	t.Parallel()
	th := start(t, New(func(ctx context.Context) error { return Current(ctx).Join(ctx) }, WithName("narcissus")))
	err := th.Join(within(t))
	var cycle *DeadlockError
	if !errors.Is(err, ErrDeadlock) || !errors.As(err, &cycle) || len(cycle.Cycle) != 1 {
		t.Fatalf("Join: %v, want a cycle of one", err)
	}
	if e := cycle.Cycle[0]; e.Waiter != e.Holder || e.Waiter.Name != "narcissus" || e.Resource != "the end of narcissus" {
		t.Errorf("cycle %+v", e)
	}
	if !strings.Contains(err.Error(), "narcissus (pid ") {
		t.Errorf("%q does not say who it is", err)
	}
}

func TestJoin_OfEachOtherIsRefusedToOne(t *testing.T) {
	t.Parallel()
	const n = 5
	var ring [n]*Thread
	started := make(chan struct{})
	var refused atomic.Int32
	for i := range ring {
		ring[i] = New(func(ctx context.Context) error {
			<-started
			err := ring[(i+1)%n].Join(ctx)
			var cycle *DeadlockError
			if errors.As(err, &cycle) && len(cycle.Cycle) == n {
				refused.Add(1)
				return nil
			}
			return err
		})
	}
	for _, th := range ring {
		start(t, th)
	}
	close(started)
	for _, th := range ring {
		if err := th.Join(within(t)); err != nil {
			t.Errorf("Join: %v", err)
		}
	}
	if refused.Load() != 1 {
		t.Errorf("%d were refused, want one", refused.Load())
	}
}

func TestJoin_WithAContextThatIsOverClosesNoCycle(t *testing.T) {
	t.Parallel()
	th := start(t, New(func(ctx context.Context) error {
		over, cancel := context.WithCancel(ctx)
		cancel()
		if err := Current(ctx).Join(over); !errors.Is(err, ErrAlive) || errors.Is(err, ErrDeadlock) {
			return errors.New("want ErrAlive")
		}
		return nil
	}))
	if err := th.Join(within(t)); err != nil {
		t.Error(err)
	}
}

// latch is a lock with a holder, which others can only be refused.
type latch struct{ holder *owner.Owner }

func (l *latch) Resource() string     { return "a latch" }
func (l *latch) Holder() *owner.Owner { return l.holder }

func TestJoin_IsAWaitLikeThatForALock(t *testing.T) {
	t.Parallel()
	held := &latch{owner.New(owner.Identity{Name: "main"})}
	joining := make(chan struct{})
	th := start(t, New(func(ctx context.Context) error {
		<-joining
		me := owner.From(ctx)
		for { // until the other one is seen to wait
			if err := me.Wait(held); err != nil {
				return err
			}
			me.Unwait(held)
		}
	}))
	ctx := owner.With(within(t), held.holder)
	close(joining)
	err := th.Join(ctx)
	var cycle *DeadlockError
	if !errors.As(err, &cycle) || len(cycle.Cycle) != 2 || cycle.Cycle[1].Resource != "the end of "+th.Name() {
		t.Errorf("Join: %v, want a cycle of the latch and the join", err)
	}
	// The join has left nothing in the graph.
	if err := th.own.Wait(held); err != nil {
		t.Errorf("a later wait for the latch: %v", err)
	}
}

// party notes what an owner's end tells it.
type party struct{ left chan *owner.Abandoned }

func (p *party) OwnerEnded(o *owner.Owner) { p.left <- o.Abandoned() }

func TestThread_GivesBackWhatItHoldsHoweverItEnds(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for name, f := range map[string]func() error{
		"return": func() error { return nil },
		"error":  func() error { return failed },
		"panic":  func() error { panic(failed) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &party{make(chan *owner.Abandoned, 1)}
			th := start(t, New(func(ctx context.Context) error {
				if !owner.From(ctx).Enter(p) {
					return errors.New("the owner of a running thread has ended")
				}
				return f()
			}))
			<-th.Done()
			select {
			case a := <-p.left:
				if a.Name != th.Name() || a.PID == 0 || errors.Is(a.Cause, failed) != (name != "return") {
					t.Errorf("abandoned %+v", a)
				}
			default:
				t.Error("Done is closed before what it held was given back")
			}
			if owner.From(context.Background()) != nil {
				t.Error("an owner outside of any thread")
			}
		})
	}
}
