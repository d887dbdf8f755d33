package pool_test

import (
	"errors"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

func TestResize_GrowsAndShrinksWithoutLosses(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	busy := func() (n int) {
		for _, w := range b.Stats().Workers {
			if w.Slot > 0 {
				n++
			}
		}
		return n
	}
	var long []*pool.Future[int]
	for range 4 {
		long = append(long, submit(b, nap, time.Minute))
	}
	waitFor(t, func() bool { return busy() == 1 && b.Stats().Running == 1 })
	if err := b.Resize(4); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return busy() == 4 && b.Stats().Running == 4 })
	if err := b.Resize(2); err != nil {
		t.Fatal(err)
	}
	var short []*pool.Future[int]
	for i := range 100 {
		short = append(short, submit(b, noop, i))
	}
	if s := b.Stats(); s.Running != 4 || s.Slots != 2 {
		t.Errorf("what ran was disturbed: %+v", s)
	}
	if err := b.Resize(3); err != nil { // while four run: no slot may be given twice
		t.Fatal(err)
	}
	for _, f := range long {
		f.Cancel()
	}
	for i, f := range short {
		if n, err := f.Result(b.ctx); err != nil || n != i {
			t.Fatal(n, err)
		}
	}
	waitFor(t, func() bool { return len(b.Stats().Workers) <= 3 })
	slots := map[int]bool{}
	long = nil
	for range 10 {
		long = append(long, submit(b, nap, time.Minute))
	}
	waitFor(t, func() bool { return busy() == 3 })
	for _, w := range b.Stats().Workers {
		if w.Slot > 3 || w.Slot > 0 && slots[w.Slot] {
			t.Errorf("slots: %+v", b.Stats().Workers)
		}
		slots[w.Slot] = true
	}
	for _, f := range long {
		f.Cancel()
	}
	if err := b.Resize(0); err == nil {
		t.Error("resized to nothing")
	}
	b.Close()
	if err := b.Resize(2); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
