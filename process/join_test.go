//go:build unix

package process

import (
	"context"
	"errors"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
)

// latch is a lock with a holder, which others can only be refused.
type latch struct{ holder *owner.Owner }

func (l *latch) Resource() string     { return "a latch" }
func (l *latch) Holder() *owner.Owner { return l.holder }

func TestJoin_OfWhatWaitsForTheJoinerIsErrDeadlock(t *testing.T) {
	t.Parallel()
	out := newLines(t)
	c := New(wait, "up", WithStdout(out.w))
	start(t, c.Process)
	out.next()
	// What the task does for shared objects is done by its owner here.
	held := &latch{owner.New(owner.Identity{Name: "joiner"})}
	task := c.own.Load()
	if err := task.Wait(held); err != nil {
		t.Fatal(err)
	}
	ctx := owner.With(within(t), held.holder)
	err := c.Join(ctx)
	var cycle *DeadlockError
	if !errors.Is(err, ErrDeadlock) || !errors.As(err, &cycle) || len(cycle.Cycle) != 2 {
		t.Fatalf("Join: %v, want a cycle of two", err)
	}
	if first := cycle.Cycle[0]; first.Waiter.Name != "joiner" || first.Resource != "the end of "+c.Name() || first.Holder.PID != c.PID() {
		t.Errorf("the refused wait is %+v", first)
	}
	if _, err := c.Result(ctx); !errors.Is(err, ErrDeadlock) {
		t.Errorf("Result: %v, want ErrDeadlock", err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Join(over); !errors.Is(err, ErrAlive) || errors.Is(err, ErrDeadlock) {
		t.Errorf("Join without waiting: %v, want ErrAlive alone", err)
	}
	task.Unwait(held)
	if err := c.Terminate(); err != nil {
		t.Fatal(err)
	}
	var e *ExitError
	if err := c.Join(ctx); !errors.As(err, &e) {
		t.Errorf("Join: %v, want the outcome", err)
	}
	if err := task.Wait(held); err != nil {
		t.Errorf("the join is still in the graph: %v", err)
	}
	if err := task.Wait((*ending)(c.Process)); !errors.Is(err, ErrDeadlock) {
		t.Errorf("its own end, as seen by itself: %v, want ErrDeadlock", err)
	}
}

// spy is a resource that nobody holds. It tells of a search that comes by.
type spy chan struct{}

func (s spy) Resource() string { return "a spy" }
func (s spy) Holder() *owner.Owner {
	select {
	case s <- struct{}{}:
	default:
	}
	return nil
}

func TestJoin_GivesWayToWhoMustHaveItsLockAgain(t *testing.T) {
	t.Parallel()
	out := newLines(t)
	c := New(wait, "up", WithStdout(out.w))
	start(t, c.Process)
	out.next()
	held := &latch{owner.New(owner.Identity{Name: "joiner"})}
	task, searched := c.own.Load(), make(spy, 1)
	if err := task.Wait(searched); err != nil {
		t.Fatal(err)
	}
	<-searched // its own search
	ctx := owner.With(within(t), held.holder)
	joined := make(chan error)
	go func() { joined <- c.Join(ctx) }()
	<-searched // the join has begun
	victim, cycle := task.WaitAnyway(held)
	if victim == nil {
		t.Fatal("the wait of the task closes no cycle")
	}
	victim.Refuse(cycle)
	if err := <-joined; !errors.Is(err, ErrDeadlock) {
		t.Errorf("Join: %v, want ErrDeadlock", err)
	}
	task.Unwait(held)
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	var e *ExitError
	if err := c.Join(ctx); !errors.As(err, &e) {
		t.Errorf("Join: %v, want the outcome", err)
	}
}

func TestJoin_TheOwnerOfTheTaskHasEndedByDone(t *testing.T) {
	t.Parallel()
	c := New(end, "error")
	start(t, c.Process)
	<-c.Done()
	own := c.own.Load()
	if !own.Ended() {
		t.Error("what it holds is not given back")
	}
	if a := own.Abandoned(); a.Name != c.Name() || a.PID != c.PID() || !errors.Is(a.Cause, errOutOfPaper) {
		t.Errorf("abandoned by %+v", a)
	}
	p := Command([]string{"true"})
	start(t, p)
	<-p.Done()
	if p.own.Load() != nil {
		t.Error("a command has an owner")
	}
}
