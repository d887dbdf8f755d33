package thread

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/psync"
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

// spy is free, and says that somebody asked.
type spy chan struct{}

func (s spy) Resource() string { return "a spy" }
func (s spy) Holder() *owner.Owner {
	select {
	case s <- struct{}{}:
	default:
	}
	return nil
}

// spyOn tells of the next search that comes by what o waits for. Whatever begins
// to wait then is behind that search.
func spyOn(t *testing.T, o *owner.Owner) spy {
	t.Helper()
	s := make(spy, 1)
	if err := o.Wait(s); err != nil {
		t.Fatal(err)
	}
	<-s // that was the search of this wait
	return s
}

func TestJoin_IsAWaitLikeThatForALock(t *testing.T) {
	t.Parallel()
	held := &latch{owner.New(owner.Identity{Name: "main"})}
	joining := make(chan struct{})
	th := start(t, New(func(ctx context.Context) error {
		<-joining
		return owner.From(ctx).Wait(held)
	}))
	searched := spyOn(t, th.own)
	go func() {
		<-searched
		close(joining)
	}()
	ctx := owner.With(within(t), held.holder)
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

func TestJoin_GivesWayToWhoMustHaveItsLockAgain(t *testing.T) {
	t.Parallel()
	ctx, end := psync.WithOwner(within(t), psync.Named("joiner"))
	defer end()
	ready, err := psync.NewCondition(nil, psync.Named("ready"))
	if err != nil {
		t.Fatal(err)
	}
	impatient, giveUp := context.WithCancel(ctx)
	waiting := make(chan struct{})
	th := start(t, New(func(ctx context.Context) error {
		held, err := ready.Acquire(ctx)
		if err != nil {
			return err
		}
		defer held.Release()
		close(waiting)
		ctx, cancel := context.WithCancel(ctx)
		defer context.AfterFunc(impatient, cancel)()
		_, err = ready.Wait(ctx)
		return err
	}))
	<-waiting
	held, err := ready.Acquire(ctx) // so that it waits, and must have the lock again
	if err != nil {
		t.Fatal(err)
	}
	searched := spyOn(t, th.own)
	joined := make(chan error)
	go func() { joined <- th.Join(ctx) }()
	<-searched // by the join
	giveUp()
	err = <-joined
	var cycle *DeadlockError
	if !errors.As(err, &cycle) || len(cycle.Cycle) != 2 || cycle.Cycle[0].Waiter.Name != "joiner" {
		t.Errorf("Join: %v, want the cycle that the thread has closed", err)
	}
	if err := held.Release(); err != nil {
		t.Error(err)
	}
	if err := th.Join(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Join: %v, want what the wait returned", err)
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
