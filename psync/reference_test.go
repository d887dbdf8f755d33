package psync_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/task"
)

// desk has everything that can travel in a task's arguments.
type desk struct {
	Lock      *psync.Lock
	RLock     *psync.RLock
	Semaphore *psync.Semaphore
	Bounded   *psync.BoundedSemaphore
	Condition *psync.Condition
	Event     *psync.Event
	Barrier   *psync.Barrier
	Text      *psync.Value[string]
	Count     *psync.Number[int]
	Scores    *psync.Array[float64]
	Absent    *psync.Lock
	InPlace   psync.Event
	Many      []*psync.Lock
	ByName    map[string]*psync.Event
}

// Define panics on what cannot travel.
var _ = task.Define("psync.test.desk", func(context.Context, desk) (desk, error) { return desk{}, nil })

func ref(kind, typ string) remote.Ref {
	return remote.Ref{ID: 7, Kind: kind, Name: "the " + kind, Type: typ, Size: 1}
}

func sharedLock() *psync.Lock {
	return psync.OverLock(remote.NewLock(ref(remote.KindLock, "")), psync.Named("the lock"))
}

func sharedEvent() *psync.Event {
	return psync.OverEvent(remote.NewEvent(ref(remote.KindEvent, "")), psync.Named("the event"))
}

func TestReference_NamesTheSameObject(t *testing.T) {
	t.Parallel()
	sent := desk{
		Lock:      sharedLock(),
		RLock:     psync.OverRLock(remote.NewLock(ref(remote.KindRLock, ""))),
		Semaphore: psync.OverSemaphore(remote.NewSemaphore(ref(remote.KindSemaphore, ""))),
		Bounded:   psync.OverBoundedSemaphore(remote.NewSemaphore(ref(remote.KindBoundedSemaphore, ""))),
		Condition: psync.OverCondition(remote.NewCondition(ref(remote.KindCondition, ""))),
		Event:     sharedEvent(),
		Barrier:   psync.OverBarrier(remote.NewBarrier(ref(remote.KindBarrier, ""))),
		Text:      psync.OverValue[string](remote.NewCells(ref(remote.KindValue, "string"))),
		Count:     psync.OverNumber[int](remote.NewCells(ref(remote.KindNumber, "int"))),
		Scores:    psync.OverArray[float64](remote.NewCells(ref(remote.KindArray, "float64"))),
		InPlace:   *sharedEvent(),
		Many:      []*psync.Lock{sharedLock(), nil},
		ByName:    map[string]*psync.Event{"e": sharedEvent()},
	}
	data, err := task.Encode(nil, sent)
	if err != nil {
		t.Fatal(err)
	}
	var got desk
	if err := task.Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Absent != nil || len(got.Many) != 2 || got.Many[1] != nil {
		t.Errorf("what was not there is: %v, %v", got.Absent, got.Many)
	}
	again, err := task.Encode(nil, got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) {
		t.Errorf("what was received refers to something else:\n%x\n%x", data, again)
	}
	// Here is no manager that has them; the error has the object's name and kind.
	_, err = got.Bounded.Value(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), `psync: bounded semaphore "the bounded semaphore": value: `) {
		t.Errorf("Value: %v", err)
	}
}

func TestReference_RefusesAnotherKindOrType(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sent, into any }{
		"event as lock":               {sharedEvent(), new(psync.Lock)},
		"lock as rlock":               {sharedLock(), new(psync.RLock)},
		"lock as event":               {sharedLock(), new(psync.Event)},
		"lock as semaphore":           {sharedLock(), new(psync.Semaphore)},
		"lock as condition":           {sharedLock(), new(psync.Condition)},
		"lock as barrier":             {sharedLock(), new(psync.Barrier)},
		"semaphore as bounded":        {psync.OverSemaphore(remote.NewSemaphore(ref(remote.KindSemaphore, ""))), new(psync.BoundedSemaphore)},
		"bounded as semaphore":        {psync.OverBoundedSemaphore(remote.NewSemaphore(ref(remote.KindBoundedSemaphore, ""))), new(psync.Semaphore)},
		"value of another type":       {psync.OverValue[int](remote.NewCells(ref(remote.KindValue, "int"))), new(psync.Value[int64])},
		"number as value":             {psync.OverNumber[int](remote.NewCells(ref(remote.KindNumber, "int"))), new(psync.Value[int])},
		"value as number":             {psync.OverValue[int](remote.NewCells(ref(remote.KindValue, "int"))), new(psync.Number[int])},
		"array of another type":       {psync.OverArray[int](remote.NewCells(ref(remote.KindArray, "int"))), new(psync.Array[string])},
		"value as array of that type": {psync.OverValue[int](remote.NewCells(ref(remote.KindValue, "int"))), new(psync.Array[int])},
	} {
		data, err := task.Encode(nil, c.sent)
		if err != nil {
			t.Fatal(err)
		}
		if err := task.Decode(data, c.into); !errors.Is(err, psync.ErrMismatch) {
			t.Errorf("%s: %v, want ErrMismatch", name, err)
		}
	}
}

func TestReference_IsRefusedForWhatIsNotShared(t *testing.T) {
	t.Parallel()
	semaphore, err := psync.NewSemaphore(1)
	check(t, err)
	bounded, err := psync.NewBoundedSemaphore(1)
	check(t, err)
	condition, err := psync.NewCondition(nil)
	check(t, err)
	barrier, err := psync.NewBarrier(1, nil)
	check(t, err)
	value, err := psync.NewValue("x")
	check(t, err)
	number, err := psync.NewNumber(1)
	check(t, err)
	array, err := psync.NewArray([]int{1})
	check(t, err)
	for _, v := range []any{
		psync.NewLock(), psync.NewRLock(), semaphore, bounded, condition, psync.NewEvent(), barrier, value, number, array,
	} {
		if _, err := task.Encode(nil, v); !errors.Is(err, psync.ErrNotShared) {
			t.Errorf("encoding a %T of this process: %v, want ErrNotShared", v, err)
		}
	}
	_, err = task.Encode(nil, struct{ Many []*psync.Lock }{[]*psync.Lock{psync.NewLock(psync.Named("mine"))}})
	if !errors.Is(err, psync.ErrNotShared) || !strings.Contains(err.Error(), `lock "mine"`) {
		t.Errorf("encoding a lock of this process within a struct: %v", err)
	}
}

func TestReference_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	data, err := task.Encode(nil, "db")
	check(t, err)
	if err := task.Decode(data, new(psync.Lock)); err == nil {
		t.Error("a string was decoded as a lock")
	}
}
