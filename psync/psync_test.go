package psync_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/task"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrors_NameTheObjectAndTheOperation(t *testing.T) {
	t.Parallel()
	ctx, end := psync.WithOwner(t.Context())
	defer end()
	named := psync.NewLock(psync.Named("db"))
	for want, err := range map[string]error{
		`psync: lock "db": release: not locked`: named.Release(ctx),
		`psync: rlock: release: not locked`:     psync.NewRLock().Release(ctx),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	_, semaphore := psync.NewSemaphore(-1, psync.Named("s"))
	_, bounded := psync.NewBoundedSemaphore(-1)
	_, barrier := psync.NewBarrier(0, nil)
	condition, err := psync.NewCondition(nil)
	check(t, err)
	for want, err := range map[string]error{
		`psync: semaphore "s": new: -1 permits, at least 0 are wanted: out of range`:     semaphore,
		`psync: bounded semaphore: new: -1 permits, at least 0 are wanted: out of range`: bounded,
		`psync: barrier: new: 0 parties, at least 1 is wanted: out of range`:             barrier,
		`psync: condition: notify: -1 waiters, NotifyAll wakes all: out of range`:        condition.Notify(t.Context(), -1),
	} {
		if !errors.Is(err, psync.ErrRange) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A New function that fails returns nothing that could be used by mistake.
func TestNew_ReturnsNilWithItsError(t *testing.T) {
	t.Parallel()
	semaphore, err1 := psync.NewSemaphore(-1)
	bounded, err2 := psync.NewBoundedSemaphore(-1)
	barrier, err3 := psync.NewBarrier(0, nil)
	condition, err4 := psync.NewCondition(sharedLock())
	value, err5 := psync.NewValue[any](make(chan int))
	array, err6 := psync.NewArray([]func(){nil})
	for i, err := range []error{err1, err2, err3, err4, err5, err6} {
		if err == nil {
			t.Errorf("case %d has no error", i)
		}
	}
	if semaphore != nil || bounded != nil || barrier != nil || condition != nil || value != nil || array != nil {
		t.Error("an object came with an error")
	}
	if !errors.Is(err4, psync.ErrUnsupported) || !errors.Is(err4, errors.ErrUnsupported) {
		t.Errorf("NewCondition of a shared lock: %v, want ErrUnsupported", err4)
	}
	var bad *task.ValueError
	if !errors.As(err5, &bad) || !errors.As(err6, &bad) {
		t.Errorf("values that cannot travel: %v, %v, want ValueErrors", err5, err6)
	}
}

func TestZeroValue_HasErrorsOnly(t *testing.T) {
	t.Parallel()
	ctx, end := psync.WithOwner(t.Context())
	defer end()
	var (
		lock      psync.Lock
		rlock     psync.RLock
		semaphore psync.Semaphore
		bounded   psync.BoundedSemaphore
		condition psync.Condition
		event     psync.Event
		barrier   psync.Barrier
		number    psync.Number[int]
		array     psync.Array[int]
	)
	errs := map[string]error{
		"Set": event.Set(ctx), "Clear": event.Clear(ctx), "Event.Wait": event.Wait(ctx),
		"Notify": condition.Notify(ctx, 1), "Abort": barrier.Abort(ctx), "Reset": barrier.Reset(ctx),
		"Store": number.Store(ctx, 1), "Array.Store": array.Store(ctx, 0, 1),
		"AcquireDetached": semaphore.AcquireDetached(ctx),
	}
	for name, l := range map[string]psync.Locker{"Lock": &lock, "RLock": &rlock} {
		_, errs[name+".Acquire"] = l.Acquire(ctx)
		errs[name+".Release"] = l.Release(ctx)
		_, errs["NewCondition of "+name] = psync.NewCondition(l)
	}
	_, errs["Semaphore.Acquire"] = semaphore.Acquire(ctx)
	_, errs["BoundedSemaphore.TryAcquire"] = bounded.TryAcquire(ctx)
	errs["BoundedSemaphore.Release"] = bounded.Release(ctx)
	_, errs["Value"] = semaphore.Value(ctx)
	_, errs["Condition.Acquire"] = condition.Acquire(ctx)
	errs["Condition.Release"] = condition.Release(ctx)
	_, errs["Condition.Wait"] = condition.Wait(ctx)
	_, errs["IsSet"] = event.IsSet(ctx)
	_, errs["Barrier.Wait"] = barrier.Wait(ctx)
	_, errs["Broken"] = barrier.Broken(ctx)
	_, errs["Load"] = number.Load(ctx)
	_, errs["Add"] = number.Add(ctx, 1)
	_, errs["Update"] = number.Update(ctx, func(n int) int { return n })
	_, errs["CompareAndSwap"] = number.CompareAndSwap(ctx, 0, 0)
	_, errs["Len"] = array.Len(ctx)
	_, errs["Snapshot"] = array.Snapshot(ctx)
	_, errs["Encode"] = task.Encode(nil, &lock)
	for name, err := range errs {
		if err == nil || !strings.HasSuffix(err.Error(), "zero value: it was neither made nor received") {
			t.Errorf("%s of a zero value: %v", name, err)
		}
	}
}

func TestCondition_SharesALock(t *testing.T) {
	t.Parallel()
	ctx, end := psync.WithOwner(t.Context())
	defer end()
	for _, lock := range []psync.Locker{psync.NewLock(), psync.NewRLock()} {
		full, err := psync.NewCondition(lock)
		check(t, err)
		empty, err := psync.NewCondition(lock)
		check(t, err)
		held, err := full.Acquire(ctx)
		check(t, err)
		check(t, full.Notify(ctx, 1))
		check(t, empty.NotifyAll(ctx))
		check(t, held.Release())
		if err := empty.Notify(ctx, 1); !errors.Is(err, psync.ErrNotOwner) {
			t.Errorf("Notify after the other condition's release: %v, want ErrNotOwner", err)
		}
		held, err = empty.TryAcquire(ctx)
		check(t, err)
		check(t, held.Release())
	}
}

func TestWithOwner_SaysWhoItIs(t *testing.T) {
	t.Parallel()
	ctx, end := psync.WithOwner(t.Context(), psync.Named("loader"))
	defer end()
	if who := owner.From(ctx).Identity(); who != (owner.Identity{Name: "loader", PID: os.Getpid()}) {
		t.Errorf("identity %+v", who)
	}
	job := owner.With(t.Context(), owner.New(owner.Identity{Name: "x", PID: 1, Job: "resize#12"}))
	inner, end := psync.WithOwner(job)
	defer end()
	if who := owner.From(inner).Identity(); who.Job != "resize#12" || who.PID != os.Getpid() || who.Name == "" {
		t.Errorf("identity %+v, want that of a goroutine of the job", who)
	}
	if owner.From(inner) == owner.From(job) {
		t.Error("it is still the outer owner")
	}
}

func TestWithOwner_EndTellsTheCause(t *testing.T) {
	t.Parallel()
	reason := errors.New("enough")
	for _, cause := range []error{nil, reason} {
		l := psync.NewLock()
		outer, cancel := context.WithCancelCause(t.Context())
		ctx, end := psync.WithOwner(outer, psync.Named("loader"))
		_, err := l.Acquire(ctx)
		check(t, err)
		next, endNext := psync.WithOwner(t.Context())
		if cause != nil {
			cancel(cause)
		}
		if _, err := l.TryAcquire(next); !errors.Is(err, psync.ErrWouldBlock) {
			t.Errorf("TryAcquire before the owner's end: %v, want ErrWouldBlock", err)
		}
		end()
		end()
		held, err := l.TryAcquire(next)
		check(t, err)
		if a := held.Abandoned; a == nil || a.Name != "loader" || a.Cause != cause {
			t.Errorf("abandoned %+v, want by loader because of %v", a, cause)
		}
		endNext()
		cancel(nil)
	}
}

// What nobody else wants costs no allocation.
func TestUncontended_AllocatesNothing(t *testing.T) {
	ctx, end := psync.WithOwner(t.Context())
	defer end()
	rlock, event := psync.NewRLock(), psync.NewEvent()
	semaphore, err := psync.NewSemaphore(2)
	check(t, err)
	bounded, err := psync.NewBoundedSemaphore(2)
	check(t, err)
	condition, err := psync.NewCondition(rlock)
	check(t, err)
	check(t, event.Set(ctx))
	turn := func(l interface {
		Acquire(context.Context) (psync.Held, error)
		TryAcquire(context.Context) (psync.Held, error)
		Release(context.Context) error
	}) func() error {
		return func() error {
			held, err := l.Acquire(ctx)
			if err != nil {
				return err
			}
			if err := held.Release(); err != nil {
				return err
			}
			if _, err := l.TryAcquire(ctx); err != nil {
				return err
			}
			return l.Release(ctx)
		}
	}
	for name, f := range map[string]func() error{
		"Lock":             turn(psync.NewLock()),
		"RLock":            turn(rlock),
		"Semaphore":        turn(semaphore),
		"BoundedSemaphore": turn(bounded),
		"Condition":        turn(condition),
		"Event":            func() error { return event.Wait(ctx) },
		"detached": func() error {
			if err := semaphore.AcquireDetached(ctx); err != nil {
				return err
			}
			return semaphore.Release(ctx)
		},
	} {
		if n := testing.AllocsPerRun(100, func() { check(t, f()) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
