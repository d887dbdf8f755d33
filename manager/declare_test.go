package manager_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/manager"
)

func TestDeclare_ObjectGetsTheTypeOfItsFirstOpener(t *testing.T) {
	t.Parallel()
	m := manager.New()
	defer m.Close()
	if err := m.Declare("work", 1, manager.KindQueue, manager.KindJoinable); err != nil {
		t.Fatal(err)
	}
	ctx := manager.With(t.Context(), m)
	for name, open := range map[string]func() error{
		"another kind": func() error { _, err := manager.Lock(ctx, "work"); return err },
		"another size": func() error { _, err := manager.Queue[int](ctx, "work", manager.Sized(2)); return err },
	} {
		if err := open(); !errors.Is(err, manager.ErrMismatch) {
			t.Errorf("as %s: %v", name, err)
		}
	}
	q, err := manager.Queue[string](ctx, "work")
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Put(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if full, err := q.Full(ctx); !full || err != nil {
		t.Errorf("a queue of 1 with an item in it is full: %v, %v", full, err)
	}
	if _, err := manager.Queue[int](ctx, "work"); !errors.Is(err, manager.ErrMismatch) {
		t.Errorf("as a queue of numbers: %v", err)
	}
	again, err := manager.Queue[string](ctx, "work", manager.Sized(1))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := again.Get(ctx); v != "a" || err != nil {
		t.Errorf("got %q, %v from the same queue", v, err)
	}
}

func TestDeclare_NamesAreTakenAndListed(t *testing.T) {
	t.Parallel()
	m := manager.New()
	defer m.Close()
	if err := m.Declare("results", 0, manager.KindQueue); err != nil {
		t.Fatal(err)
	}
	if err := m.Declare("results", 0, manager.KindLock); !errors.Is(err, manager.ErrExists) {
		t.Errorf("declared twice: %v", err)
	}
	if err := m.Declare("", 0, manager.KindLock); err == nil {
		t.Error("an empty name was taken")
	}
	_, err := manager.Queue[int](manager.With(t.Context(), m), "reslts")
	if !errors.Is(err, manager.ErrNotFound) || !strings.Contains(err.Error(), `did you mean "results"? There are: "results" (queue)`) {
		t.Errorf("a wrong name: %v", err)
	}
}
