package broker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/owner"
)

// hold makes owners that wait for the condition, in this order.
func waitFor(t *testing.T, c *Condition, names ...string) (owners []*owner.Owner, waiting []*probe) {
	t.Helper()
	for _, name := range names {
		o := newOwner(name)
		ask(t, o, c.lock.Acquire).granted()
		p := ask(t, o, c.Wait)
		p.waits()
		owners, waiting = append(owners, o), append(waiting, p)
	}
	return owners, waiting
}

func TestCondition_NeedsTheLock(t *testing.T) {
	t.Parallel()
	for _, recursive := range []bool{false, true} {
		l := NewLock("l", recursive)
		c := NewCondition("c", l)
		a, b := newOwner("a"), newOwner("b")
		ask(t, a, c.Wait).failed(ErrNotOwner)
		wantErr(t, c.Notify(a, 1), ErrNotOwner)
		ask(t, b, l.Acquire).granted()
		ask(t, a, c.Wait).failed(ErrNotOwner)
		wantErr(t, c.Notify(a, -1), ErrNotOwner)
		ask(t, nil, c.Wait).failed(ErrNoOwner)
		wantErr(t, c.Notify(nil, 1), ErrNoOwner)
		if l.Holder() != b {
			t.Fatal("the lock was taken away")
		}
		if n := len(a.Parties()); n != 0 {
			t.Fatalf("%d parties are left", n)
		}
	}
}

func TestCondition_WaitReleasesTheLockWhollyAndRestoresItsDepth(t *testing.T) {
	t.Parallel()
	l := NewLock("l", true)
	c := NewCondition("c", l)
	a, b := newOwner("a"), newOwner("b")
	for range 3 {
		ask(t, a, l.Acquire).granted()
	}
	next := ask(t, b, l.Acquire)
	w := ask(t, a, c.Wait)
	next.granted()
	must(t, c.Notify(b, 1))
	w.waits()
	must(t, second(l.Release(b)))
	wantLeft(t, w.granted(), "")
	for range 3 {
		if l.Holder() != a {
			t.Fatal("not as deep as before")
		}
		must(t, second(l.Release(a)))
	}
	if l.Holder() != nil {
		t.Fatal("deeper than before")
	}
}

func TestCondition_NotifiesThoseWhoHaveWaitedLongest(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	owners, waiting := waitFor(t, c, "a", "b", "c", "d")
	n := newOwner("n")
	ask(t, n, l.Acquire).granted()
	must(t, c.Notify(n, 0))
	must(t, c.Notify(n, 1))
	must(t, c.Notify(n, 1))
	must(t, second(l.Release(n)))
	for i := range 2 {
		waiting[i].granted()
		must(t, second(l.Release(owners[i])))
	}
	waiting[2].waits()
	waiting[3].waits()
	ask(t, n, l.Acquire).granted()
	must(t, c.Notify(n, -1))
	must(t, c.Notify(n, 5)) // nobody is left, and this is not remembered
	must(t, second(l.Release(n)))
	for i := 2; i < 4; i++ {
		waiting[i].granted()
		must(t, second(l.Release(owners[i])))
	}
	_, late := waitFor(t, c, "late")
	late[0].waits()
}

func TestCondition_CancelledWaitHasTheLockAgain(t *testing.T) {
	t.Parallel()
	for _, recursive := range []bool{false, true} {
		l := NewLock("l", recursive)
		c := NewCondition("c", l)
		owners, waiting := waitFor(t, c, "a", "b")

		// The lock is free: at once.
		waiting[0].Cancel(errGone)
		waiting[0].failed(errGone)
		if l.Holder() != owners[0] {
			t.Fatal("it does not hold the lock")
		}

		// It is held: when it is free, and nothing hastens that.
		waiting[1].Cancel(errGone)
		waiting[1].Cancel(errors.New("impatient"))
		waiting[1].waits()
		must(t, c.Notify(owners[0], 1)) // it is no waiter any more
		must(t, second(l.Release(owners[0])))
		waiting[1].failed(errGone)
		if l.Holder() != owners[1] {
			t.Fatal("it does not hold the lock")
		}
		must(t, second(l.Release(owners[1])))
	}
}

func TestCondition_CancelAfterTheNotificationIsTooLate(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	_, waiting := waitFor(t, c, "a")
	n := newOwner("n")
	ask(t, n, l.Acquire).granted()
	must(t, c.Notify(n, 1))
	waiting[0].Cancel(errGone)
	waiting[0].waits()
	must(t, second(l.Release(n)))
	waiting[0].granted()
}

func TestCondition_WaiterThatEndsIsRemoved(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	owners, waiting := waitFor(t, c, "a", "b")
	owners[0].End(nil)
	waiting[0].failed(ErrEnded)
	n := newOwner("n")
	wantLeft(t, ask(t, n, l.Acquire).granted(), "") // it did not hold the lock
	must(t, c.Notify(n, 1))
	must(t, second(l.Release(n)))
	waiting[1].granted()
}

func TestCondition_NotificationOfAWaiterThatEndsIsPassedOn(t *testing.T) {
	t.Parallel()
	l := NewLock("l", true)
	c := NewCondition("c", l)
	owners, waiting := waitFor(t, c, "a", "b", "c")
	n := newOwner("n")
	ask(t, n, l.Acquire).granted()
	must(t, c.Notify(n, 1))
	owners[0].End(nil) // notified, without the lock
	waiting[0].failed(ErrEnded)
	owners[1].End(nil) // notified in its place
	waiting[1].failed(ErrEnded)
	must(t, second(l.Release(n)))
	waiting[2].granted()
}

func TestCondition_NotificationIsPassedOnInTheMomentOfTheHandOver(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	owners, waiting := waitFor(t, c, "a", "b")
	n := newOwner("n")
	ask(t, n, l.Acquire).granted()
	must(t, c.Notify(n, 1))
	owners[0].Enter(&releaser{func() { // a has ended, its wait does not know yet
		must(t, second(l.Release(n)))
		waiting[0].failed(ErrEnded)
		waiting[1].granted()
	}})
	owners[0].End(nil)
	waiting[1].granted()
}

func TestCondition_NotificationOfAWaiterThatHasTheLockIsSpent(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	owners, waiting := waitFor(t, c, "a", "b")
	n := newOwner("n")
	ask(t, n, l.Acquire).granted()
	must(t, c.Notify(n, 1))
	must(t, second(l.Release(n)))
	waiting[0].granted()
	owners[0].End(nil)
	waiting[1].waits()
	wantLeft(t, ask(t, n, l.Acquire).granted(), "a")
}

func TestCondition_CancelledWaiterThatEndsPassesNothingOn(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	owners, waiting := waitFor(t, c, "a", "b")
	n := newOwner("n")
	ask(t, n, l.Acquire).granted()
	waiting[0].Cancel(errGone)
	owners[0].End(nil)
	waiting[0].failed(ErrEnded)
	must(t, second(l.Release(n)))
	waiting[1].waits()
}

func TestCondition_WaiterIsToldWhoLeftTheLock(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	_, waiting := waitFor(t, c, "a")
	n := newOwner("n")
	ask(t, n, l.Acquire).granted()
	must(t, c.Notify(n, 1))
	n.End(nil)
	wantLeft(t, waiting[0].granted(), "n")
}

func TestCondition_OthersOverTheSameLock(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	full, empty := NewCondition("full", l), NewCondition("empty", l)
	_, getters := waitFor(t, empty, "g")
	putters, putting := waitFor(t, full, "p")
	n := newOwner("n")
	ask(t, n, l.Acquire).granted()
	must(t, full.Notify(n, -1))
	must(t, second(l.Release(n)))
	putting[0].granted()
	getters[0].waits()
	must(t, empty.Notify(putters[0], 1))
	must(t, second(l.Release(putters[0])))
	getters[0].granted()
}

// A holds m and waits for a condition over l. B holds l and then wants m: once A
// has been notified, neither can go on.
func TestCondition_TakingTheLockAgainIsPartOfTheGraph(t *testing.T) {
	t.Parallel()
	l, m := NewLock("l", true), NewLock("m", true)
	c := NewCondition("c", l)
	a, b := newOwner("a"), newOwner("b")
	ask(t, a, m.Acquire).granted()
	ask(t, a, l.Acquire).granted()
	w := ask(t, a, c.Wait)
	ask(t, b, l.Acquire).granted()
	must(t, c.Notify(b, 1))
	ask(t, b, m.Acquire).failed(owner.ErrDeadlock)
	must(t, second(l.Release(b)))
	w.granted()
}

// The same, but the circle is closed by the end of A's patience: A must have its
// lock, so it is B's wait that is refused, although it had begun.
func TestCondition_TakingTheLockAgainRefusesAnotherWait(t *testing.T) {
	t.Parallel()
	l, m, k := NewLock("l", true), NewLock("m", true), NewLock("k", true)
	c := NewCondition("c", l)
	a, b, between := newOwner("a"), newOwner("b"), newOwner("between")
	ask(t, a, m.Acquire).granted()
	ask(t, a, l.Acquire).granted()
	w := ask(t, a, c.Wait)
	ask(t, b, l.Acquire).granted()
	ask(t, between, k.Acquire).granted()
	bWaits := ask(t, b, k.Acquire)
	betweenWaits := ask(t, between, m.Acquire)
	bWaits.waits()
	betweenWaits.waits()
	w.Cancel(errGone)
	w.waits()
	bWaits.failed(owner.ErrDeadlock)
	betweenWaits.waits()
	var deadlock *owner.DeadlockError
	if !errors.As(bWaits.Err, &deadlock) {
		t.Fatalf("got %v", bWaits.Err)
	}
	want := `deadlock: b waits for recursive lock "k", held by between, ` +
		`between waits for recursive lock "m", held by a, ` +
		`a waits for recursive lock "l", held by b`
	if got := deadlock.Error(); got != want {
		t.Fatalf("got %s\nwant %s", got, want)
	}
	must(t, second(l.Release(b)))
	w.failed(errGone)
	must(t, second(m.Release(a)))
	betweenWaits.granted()
}

func TestCondition_GoroutinesThatShareAnOwner(t *testing.T) {
	t.Parallel()
	// What one of them holds of a recursive lock, the other holds too.
	l := NewLock("l", true)
	c := NewCondition("c", l)
	o := newOwner("o")
	ask(t, o, l.Acquire).granted()
	ask(t, o, l.Acquire).granted()
	w := ask(t, o, c.Wait)
	ask(t, o, l.Acquire).granted()
	must(t, c.Notify(o, 1))
	w.granted()
	for range 3 {
		must(t, second(l.Release(o)))
	}
	wantErr(t, second(l.Release(o)), ErrNotLocked)

	// Of a plain one they do not, and nobody is refused for that.
	l = NewLock("l", false)
	c = NewCondition("c", l)
	ask(t, o, l.Acquire).granted()
	w = ask(t, o, c.Wait)
	ask(t, o, l.Acquire).granted()
	must(t, c.Notify(o, 1))
	w.waits()
	must(t, second(l.Release(o)))
	w.granted()
	must(t, second(l.Release(o)))
	if n := len(o.Parties()); n != 0 {
		t.Fatalf("%d parties are left", n)
	}
}

func TestCondition_RemovedWhileOthersWait(t *testing.T) {
	t.Parallel()
	l := NewLock("l", false)
	c := NewCondition("c", l)
	owners, waiting := waitFor(t, c, "a", "b")
	c.Remove(ErrRemoved)
	waiting[0].failed(ErrRemoved)
	ask(t, owners[0], c.Wait).failed(ErrRemoved)
	wantErr(t, c.Notify(owners[0], 1), ErrRemoved)
	waiting[1].waits()
	must(t, second(l.Release(owners[0])))
	waiting[1].failed(ErrRemoved)
	must(t, second(l.Release(owners[1])))
	if len(l.waited) != 0 {
		t.Fatal("the lock still knows of waiters")
	}
}

// A buffer of a few places between goroutines, with waits that run out, and with
// visitors that only wait, and end in all moments: a notification that one of them
// takes with it would leave the others standing still.
func TestCondition_BoundedBufferBetweenGoroutines(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	l := NewLock("l", false)
	notEmpty, notFull := NewCondition("not empty", l), NewCondition("not full", l)
	const room, each, pairs = 3, 200, 4
	buffer, got := 0, 0 // guarded by l

	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}

	// told is what who gets the lock of a visitor does: that one may have had a
	// notification, and not used it.
	told := func(tk *Ticket) {
		if tk.Abandoned != nil {
			check(notEmpty.Notify(tk.Owner, -1))
			check(notFull.Notify(tk.Owner, -1))
		}
	}
	step := func(o *owner.Owner, impatient bool, c *Condition, can func() bool, do func()) {
		tk := &Ticket{Owner: o}
		if err := Await(ctx, tk, l.Acquire); err != nil {
			t.Error(err)
			return
		}
		told(tk)
		for !can() && ctx.Err() == nil {
			ctx, cancel := context.WithCancel(ctx)
			if impatient {
				go cancel()
			}
			tk := &Ticket{Owner: o}
			_ = Await(ctx, tk, c.Wait) // it has the lock either way
			told(tk)
			cancel()
		}
		do()
		check(second(l.Release(o)))
	}
	var all, visits sync.WaitGroup
	for range pairs {
		all.Go(func() {
			o := newOwner("putter")
			for i := range each {
				step(o, i%5 == 0, notFull, func() bool { return buffer < room }, func() {
					buffer++
					check(notEmpty.Notify(o, 1))
				})
			}
		})
		all.Go(func() {
			o := newOwner("getter")
			for i := range each {
				step(o, i%5 == 0, notEmpty, func() bool { return buffer > 0 }, func() {
					buffer--
					got++
					check(notFull.Notify(o, 1))
				})
			}
		})
	}
	over := make(chan struct{})
	for i := range 2 {
		visits.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				o := newOwner("visitor")
				tk := &Ticket{Owner: o}
				if Await(ctx, tk, l.Acquire) == nil {
					told(tk) // or the notification of a visitor before would end here
					go o.End(nil)
					_ = Await(ctx, &Ticket{Owner: o}, []*Condition{notEmpty, notFull}[i].Wait)
				}
				o.End(nil)
			}
		})
	}
	all.Wait()
	close(over)
	visits.Wait()
	must(t, ctx.Err())
	if got != pairs*each || buffer != 0 {
		t.Fatalf("got %d, %d left, want %d and 0", got, buffer, pairs*each)
	}
}
