package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
)

var errGone = errors.New("gone")

func TestLock_IsHandedOverInTheOrderInWhichItWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, recursive := range []bool{false, true} {
		l := NewLock("l", recursive)
		a, b, c := newOwner("a"), newOwner("b"), newOwner("c")
		wantLeft(t, ask(t, a, l.Acquire).granted(), "")
		second, third := ask(t, b, l.Acquire), ask(t, c, l.Acquire)
		second.waits()
		_, err := l.Release(a)
		must(t, err)
		second.granted()
		third.waits()
		if _, err := l.TryAcquire(a); !errors.Is(err, ErrWouldBlock) {
			t.Fatalf("who has just released it overtook the next one: %v", err)
		}
		_, err = l.Release(b)
		must(t, err)
		third.granted()
		if l.Holder() != c {
			t.Fatal("the holder is not who has it")
		}
	}
}

func TestLock_NeedsAnOwner(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	ask(t, nil, l.Acquire).failed(ErrNoOwner)
	_, err := l.TryAcquire(nil)
	wantErr(t, err, ErrNoOwner)
}

func TestLock_ThatIsFreeCannotBeReleased(t *testing.T) {
	t.Parallel()
	for _, recursive := range []bool{false, true} {
		l := NewLock("l", recursive)
		o := newOwner("o")
		_, err := l.Release(o)
		wantErr(t, err, ErrNotLocked)
		must(t, second(l.TryAcquire(o)))
		must(t, second(l.Release(o)))
		_, err = l.Release(o)
		wantErr(t, err, ErrNotLocked)
	}
}

func second[T any](_ T, err error) error { return err }

func TestLock_CancelledWaitLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	a, b, c := newOwner("a"), newOwner("b"), newOwner("c")
	ask(t, a, l.Acquire).granted()
	first, next := ask(t, b, l.Acquire), ask(t, c, l.Acquire)
	first.Cancel(errGone)
	first.failed(errGone)
	first.Cancel(errors.New("again"))
	first.failed(errGone)
	must(t, second(l.Release(a)))
	next.granted()
	next.Cancel(errGone)
	next.granted() // the grant came first
	if n := len(b.Parties()); n != 0 {
		t.Fatalf("%d parties are left", n)
	}
}

func TestLock_OfAnOwnerThatEndsGoesToTheNextOneWhoIsTold(t *testing.T) {
	t.Parallel()
	for _, recursive := range []bool{false, true} {
		l := NewLock("l", recursive)
		a, b := newOwner("a"), newOwner("b")
		ask(t, a, l.Acquire).granted()
		next := ask(t, b, l.Acquire)
		cause := errors.New("killed")
		a.End(cause)
		left := next.granted()
		wantLeft(t, left, "a")
		wantErr(t, left.Cause, cause)

		// It is free for a while: then it is the one after that who is told.
		b.End(nil)
		if l.Holder() != nil {
			t.Fatal("it is still held")
		}
		c := newOwner("c")
		left, err := l.TryAcquire(c)
		must(t, err)
		wantLeft(t, left, "b")
		must(t, second(l.Release(c)))
		wantLeft(t, ask(t, c, l.Acquire).granted(), "")
	}
}

func TestLock_IsNotGivenToAnOwnerThatHasEnded(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	a, b, c := newOwner("a"), newOwner("b"), newOwner("c")
	b.End(nil)
	ask(t, b, l.Acquire).failed(ErrEnded)
	_, err := l.TryAcquire(b)
	wantErr(t, err, ErrEnded)
	ask(t, a, l.Acquire).granted()
	ask(t, b, l.Acquire).failed(ErrEnded)

	// The lock becomes free when the owner has ended but its wait does not know yet:
	// parties are told last to first.
	d := newOwner("d")
	waiting, last := ask(t, d, l.Acquire), ask(t, c, l.Acquire)
	d.Enter(&releaser{func() {
		waiting.waits()
		must(t, second(l.Release(a)))
		waiting.failed(ErrEnded)
		last.granted()
	}})
	d.End(nil)
	waiting.failed(ErrEnded)
	if l.Holder() != c {
		t.Fatal("the next one has not got it")
	}
}

// releaser is a party that acts at the end of its owner.
type releaser struct{ act func() }

func (r *releaser) OwnerEnded(*owner.Owner) { r.act() }

func TestRLock_CountsItsAcquisitions(t *testing.T) {
	t.Parallel()
	l := NewLock("l", true)
	a, b := newOwner("a"), newOwner("b")
	for range 3 {
		ask(t, a, l.Acquire).granted()
		must(t, second(l.TryAcquire(a)))
	}
	next := ask(t, b, l.Acquire)
	_, err := l.Release(b)
	wantErr(t, err, ErrNotOwner)
	_, err = l.Release(nil)
	wantErr(t, err, ErrNotOwner)
	for range 6 {
		next.waits()
		must(t, second(l.Release(a)))
	}
	next.granted()
	_, err = l.Release(a)
	wantErr(t, err, ErrNotOwner)
	if n := len(a.Parties()); n != 0 {
		t.Fatalf("%d parties are left", n)
	}
}

func TestRLock_OfAnOwnerThatEndsIsFreeAtAnyDepth(t *testing.T) {
	t.Parallel()
	l := NewLock("l", true)
	a, b := newOwner("a"), newOwner("b")
	for range 3 {
		ask(t, a, l.Acquire).granted()
	}
	next := ask(t, b, l.Acquire)
	a.End(nil)
	wantLeft(t, next.granted(), "a")
	must(t, second(l.Release(b)))
}

func TestLock_ReleasedByAStranger(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	a, b, c := newOwner("a"), newOwner("b"), newOwner("c")
	ask(t, a, l.Acquire).granted()
	next := ask(t, b, l.Acquire)
	stranger, err := l.Release(c)
	must(t, err)
	if !stranger {
		t.Fatal("it was not seen to be a stranger")
	}
	next.granted()
	if l.Holder() != nil {
		t.Fatal("its holder is still said to be who will release it")
	}

	// The one it was taken from is told, once, and releases nothing.
	stranger, err = l.Release(a)
	wantErr(t, err, ErrTakenAway)
	wantErr(t, err, ErrNotLocked)
	if stranger {
		t.Fatal("nothing was released")
	}
	third := ask(t, c, l.Acquire)
	third.waits()
	stranger, err = l.Release(b)
	must(t, err)
	if stranger {
		t.Fatal("the holder is no stranger")
	}
	third.granted()
	if stranger, err = l.Release(nil); err != nil || !stranger {
		t.Fatalf("released by nobody: %v, %v", stranger, err)
	}
	_, err = l.Release(nil)
	wantErr(t, err, ErrNotLocked)

	// Acquiring it shows that c knows.
	ask(t, c, l.Acquire).granted()
	must(t, second(l.Release(c)))
	_, err = l.Release(c)
	wantErr(t, err, ErrNotLocked)
	if errors.Is(err, ErrTakenAway) {
		t.Fatal("told although it knew")
	}
	for _, o := range []*owner.Owner{a, b, c} {
		if n := len(o.Parties()); n != 0 {
			t.Fatalf("%v: %d parties are left", o.Identity(), n)
		}
	}
}

func TestLock_TakenFromAnOwnerThatEndsIsNotAbandoned(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	a, b := newOwner("a"), newOwner("b")
	ask(t, a, l.Acquire).granted()
	must(t, second(l.Release(b)))
	a.End(errGone)
	wantLeft(t, ask(t, b, l.Acquire).granted(), "")
	if len(l.thefts) != 0 {
		t.Fatal("a theft is remembered that nobody can be told of")
	}
}

func TestLock_AsASignalOfAnotherOwner(t *testing.T) {
	t.Parallel()
	l := NewLock("signal", false)
	waiter, sender := newOwner("waiter"), newOwner("sender")
	ask(t, waiter, l.Acquire).granted()
	must(t, second(l.Release(sender)))
	for range 3 {
		ask(t, waiter, l.Acquire).granted()
		again := ask(t, waiter, l.Acquire) // no deadlock: it is no lock any more
		again.waits()
		must(t, second(l.Release(sender)))
		again.granted()
		must(t, second(l.Release(sender)))
	}
	if n := len(waiter.Parties()); n != 1 {
		t.Fatalf("%d parties, want only that the last release is not known yet", n)
	}
}

func TestLock_AcquiredAgainByItsHolderIsADeadlock(t *testing.T) {
	t.Parallel()
	l := NewLock("db", false)
	a := newOwner("main")
	ask(t, a, l.Acquire).granted()
	again := ask(t, a, l.Acquire)
	again.failed(owner.ErrDeadlock)
	if got, want := again.Err.Error(), `deadlock: main waits for lock "db", held by itself`; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	_, err := l.TryAcquire(a)
	wantErr(t, err, ErrWouldBlock)
	must(t, second(l.Release(a)))
	if n := len(a.Parties()); n != 0 {
		t.Fatalf("%d parties are left", n)
	}
}

func TestLock_WaitThatClosesACycleIsRefused(t *testing.T) {
	t.Parallel()
	const n = 4
	var locks []*Lock
	var owners []*owner.Owner
	for i := range n {
		locks = append(locks, NewLock(fmt.Sprint("l", i), i%2 == 0))
		owners = append(owners, newOwner(fmt.Sprint("o", i)))
		ask(t, owners[i], locks[i].Acquire).granted()
	}
	var waiting []*probe
	for i := range n - 1 {
		waiting = append(waiting, ask(t, owners[i], locks[i+1].Acquire))
	}
	refused := ask(t, owners[n-1], locks[0].Acquire)
	refused.failed(owner.ErrDeadlock)
	var deadlock *owner.DeadlockError
	if !errors.As(refused.Err, &deadlock) || len(deadlock.Cycle) != n {
		t.Fatalf("got %v", refused.Err)
	}
	for i, e := range deadlock.Cycle {
		at := (n - 1 + i) % n
		want := owner.Edge{
			Waiter:   owners[at].Identity(),
			Resource: locks[(at+1)%n].Resource(),
			Holder:   owners[(at+1)%n].Identity(),
		}
		if e != want {
			t.Fatalf("edge %d: got %v, want %v", i, e, want)
		}
	}
	for _, p := range waiting {
		p.waits()
	}
	owners[n-1].End(nil)
	for i := n - 2; i >= 0; i-- {
		wantLeft(t, waiting[i].granted(), owners[i+1].Identity().Name)
		owners[i].End(nil)
	}
}

func TestLock_ThatIsASignalIsPartOfNoCycle(t *testing.T) {
	t.Parallel()
	signal, l := NewLock("signal", false), NewLock("l", false)
	a, b := newOwner("a"), newOwner("b")
	ask(t, a, signal.Acquire).granted()
	must(t, second(signal.Release(b)))
	ask(t, a, signal.Acquire).granted()
	ask(t, b, l.Acquire).granted()
	ask(t, a, l.Acquire).waits()
	ask(t, b, signal.Acquire).waits()
}

func TestLock_RemovedWhileOthersWait(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	a, b, d := newOwner("a"), newOwner("b"), newOwner("d")
	ask(t, d, l.Acquire).granted()
	unnotified := ask(t, d, c.Wait)
	ask(t, a, l.Acquire).granted()
	waiting := ask(t, b, l.Acquire)
	l.Remove(ErrRemoved)
	waiting.failed(ErrRemoved)
	unnotified.failed(ErrRemoved)
	ask(t, b, l.Acquire).failed(ErrRemoved)
	ask(t, a, c.Wait).failed(ErrRemoved)
	must(t, second(l.Release(a)))
	for _, err := range []error{second(l.Release(a)), second(l.TryAcquire(a))} {
		wantErr(t, err, ErrRemoved)
	}
	for _, o := range []*owner.Owner{a, b, d} {
		if n := len(o.Parties()); n != 0 {
			t.Fatalf("%v: %d parties are left", o.Identity(), n)
		}
	}
}

func TestLock_NamesItself(t *testing.T) {
	t.Parallel()
	if got := NewLock("a\nb", false).Resource(); got != `lock "a\nb"` {
		t.Fatal(got)
	}
	if got := NewLock("l", true); got.Name() != "l" || !strings.Contains(got.Resource(), "recursive") {
		t.Fatal(got.Resource())
	}
}

// A counter that only the holder changes, and owners that end in the middle.
func TestLock_HoldsBetweenGoroutinesWhoseOwnersEnd(t *testing.T) {
	t.Parallel()
	for _, recursive := range []bool{false, true} {
		l := NewLock("l", recursive)
		const goroutines, rounds = 8, 300
		inside, told := 0, 0 // guarded by l
		var ended int        // guarded by mu
		var mu sync.Mutex
		var all sync.WaitGroup
		for g := range goroutines {
			all.Go(func() {
				for i := range rounds {
					o := newOwner("o")
					ctx, cancel := context.WithCancel(context.Background())
					if i%5 == 0 {
						go cancel()
					}
					if i%7 == 0 {
						go o.End(nil)
					}
					tk := &Ticket{Owner: o}
					err := Await(ctx, tk, l.Acquire)
					switch {
					case err == nil && i%7 != 0:
						if inside++; inside != 1 {
							t.Error("two are inside")
						}
						if tk.Abandoned != nil {
							told++
						}
						inside--
						if i%3 == g%3 {
							mu.Lock()
							ended++
							mu.Unlock()
							o.End(nil)
						} else if _, err := l.Release(o); err != nil {
							t.Error(err)
						}
					case err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrEnded):
						t.Error(err)
					}
					o.End(nil)
					cancel()
				}
			})
		}
		all.Wait()
		last := newOwner("last")
		left, err := l.TryAcquire(last)
		must(t, err)
		if left != nil {
			told++
		}
		if told < ended {
			t.Errorf("%d were told of %d ends", told, ended)
		}
		must(t, second(l.Release(last)))
	}
}

func TestLock_IsNotTakenAwayByAnOwnerThatEnded(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	a, b := newOwner("a"), newOwner("b")
	ask(t, a, l.Acquire).granted()
	next := ask(t, b, l.Acquire)
	a.End(nil)
	next.granted()
	if stranger, err := l.Release(a); stranger || !errors.Is(err, ErrEnded) {
		t.Fatalf("released as a stranger %v, %v", stranger, err)
	}
	if l.Holder() != b {
		t.Fatal("the lock is not held by who got it")
	}
}
