package worker

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// items are what the test tasks of many items have seen of their owners.
var items struct {
	owners []*owner.Owner
	ended  []bool // the owner before had, when the item ran
}

var (
	_ = task.Define("items/owner", func(ctx context.Context, use bool) (int, error) {
		if !use {
			return 0, nil
		}
		if n := len(items.owners); n > 0 {
			items.ended = append(items.ended, items.owners[n-1].Ended())
		}
		items.owners = append(items.owners, owner.From(ctx))
		return 0, nil
	})
	_ = task.Define("items/exit", func(_ context.Context, n int) (int, error) {
		if n == 2 {
			runtime.Goexit()
		}
		return n, nil
	})
	_ = task.Define("items/wait", func(ctx context.Context, n int) (int, error) {
		if n == 0 {
			return 0, nil
		}
		<-ctx.Done()
		return 0, context.Cause(ctx)
	})
)

func jobOf(id uint64, name string, args ...any) []byte {
	return ipc.AppendJobItems(nil, id, name, 1, 0, "many", "", encoded(args), uint64(len(args)))
}

// answered takes the answer to a job of n items apart.
func (p *peer) answered(id uint64, n int) ipc.ItemResults {
	p.t.Helper()
	r, err := ipc.ParseItems(p.result(id, ipc.StatusOK), n)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func TestItems_EachHasAnOwnerThatEndsWithIt(t *testing.T) {
	items.owners, items.ended = nil, nil
	l := setup(t)
	l.send(jobOf(1, "items/owner", true, false, true, true, false))
	if r := l.answered(1, 5); len(r.Failures) > 0 {
		t.Fatalf("got %+v", r)
	}
	if len(items.owners) != 3 || slices.Contains(items.ended, false) || !items.owners[2].Ended() {
		t.Fatalf("%d owners, ended: %v", len(items.owners), items.ended)
	}
	if who := items.owners[1].Identity(); who.Name != "job many, item 2" || who.Job != "many" {
		t.Errorf("got %+v", who)
	}
}

func TestItems_GoOnAfterOneThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(jobOf(1, "items/exit", 1, 2, 2, 3))
	r := l.answered(1, 4)
	if len(r.Failures) != 2 || r.Failures[0].Index != 1 || r.Failures[1].Index != 2 {
		t.Fatalf("got %+v", r)
	}
	if got := l.page.ItemOf(1); got != 4 {
		t.Errorf("the page says item %d", got)
	}
	l.send(job1(2, "items/exit", 1))
	l.result(2, ipc.StatusOK)
	if got := l.page.ItemOf(2); got != 0 {
		t.Errorf("the page says item %d of a job that has none", got)
	}
}

func TestItems_StopWhenTheirJobIsCancelled(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(jobOf(1, "items/wait", 0, 1, 1, 1))
	for l.page.ItemOf(1) < 2 {
		runtime.Gosched()
	}
	l.send(ipc.AppendCancel(nil, 1, true))
	l.failure(1, ipc.StatusCancelled)
	if got := l.page.ItemOf(1); got != 2 {
		t.Errorf("item %d has run", got)
	}
}

func TestItems_FailTogetherWhenNoneCanBeRun(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(jobOf(1, "no such task", 1, 2))
	if f := l.failure(1, ipc.StatusFailed); !slices.Contains(f.Codes, "worker.ErrUnknownTask") {
		t.Errorf("got %+v", f)
	}
	l.send(ipc.AppendJobItems(nil, 2, "items/exit", 1, 0, "", "", []byte{0x92, 1, 1}, 3))
	if f := l.failure(2, ipc.StatusFailed); f.Stage != task.StageArgument {
		t.Errorf("got %+v", f)
	}
}
