package queue_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

// TestZeroValue_HasErrorsOnly: a value that was declared, or decoded from nil, is
// no queue, and says so whatever is asked of it.
func TestZeroValue_HasErrorsOnly(t *testing.T) {
	t.Parallel()
	ctx, end := someone(t, "o")
	defer end(nil)
	var arrived struct {
		Queue    queue.Queue[int]
		Joinable queue.Joinable[int]
		Simple   queue.Simple[int]
		End      queue.End[int]
	}
	nothing := struct{ Queue, Joinable, Simple, End *int }{}
	if err := sent(t, nothing, &arrived); err != nil {
		t.Fatal(err)
	}
	errs := map[string]error{}
	q, j, s, e := &arrived.Queue, &arrived.Joinable, &arrived.Simple, &arrived.End
	errs["put"] = q.Put(ctx, 1)
	errs["try put"] = q.TryPut(ctx, 1)
	_, errs["get"] = q.Get(ctx)
	_, errs["try get"] = q.TryGet(ctx)
	_, errs["len"] = q.Len(ctx)
	_, errs["empty"] = q.Empty(ctx)
	_, errs["full"] = q.Full(ctx)
	errs["flush"] = q.Flush(ctx)
	errs["close"] = q.Close()
	errs["shutdown"] = q.Shutdown()
	for _, err := range q.All(ctx) {
		errs["get of all"] = err
	}
	errs["put joinable"] = j.Put(ctx, 1)
	_, errs["lease"] = j.Lease(ctx)
	_, errs["try lease"] = j.TryLease(ctx)
	_, errs["get joinable"] = j.Get(ctx)
	errs["task done"] = j.TaskDone(ctx)
	errs["join"] = j.Join(ctx)
	_, errs["unfinished"] = j.Unfinished(ctx)
	errs["put simple"] = s.Put(ctx, 1)
	_, errs["get simple"] = s.Get(ctx)
	errs["put end"] = e.Put(ctx, 1)
	_, errs["get end"] = e.Get(ctx)
	errs["close end"] = e.Close()
	for of, v := range map[string]any{" queue": q, " joinable": j, " simple": s, " end": e} {
		_, errs["encode"+of] = task.Encode(nil, v)
	}
	for op, err := range errs {
		if err == nil || !strings.HasSuffix(err.Error(), "zero value: it was neither made nor received") {
			t.Errorf("%s: %v", op, err)
		}
		if errors.Is(err, queue.ErrUnsupported) || errors.Is(err, queue.ErrNotShared) || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v is an error of queues that there are", op, err)
		}
	}
	if err := q.Put(ctx, 1); err.Error() != "queue: put: zero value: it was neither made nor received" {
		t.Errorf("Put: %v", err)
	}
}

func TestZeroLease_IsOneTooManyDone(t *testing.T) {
	t.Parallel()
	ctx, end := someone(t, "o")
	defer end(nil)
	lease, err := queue.NewJoinable[int](0).TryLease(ctx)
	if !errors.Is(err, queue.ErrEmpty) {
		t.Fatalf("TryLease: %v, want ErrEmpty", err)
	}
	for name, end := range map[string]func() error{"Done": lease.Done, "Return": lease.Return} {
		if err := end(); !errors.Is(err, queue.ErrTooManyDone) || !strings.Contains(err.Error(), "zero Lease") {
			t.Errorf("%s of no lease: %v, want ErrTooManyDone", name, err)
		}
	}
}
