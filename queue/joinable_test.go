package queue_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

// someone is a context with an owner, and that owner's end.
func someone(t *testing.T, name string) (context.Context, func(cause error)) {
	o := owner.New(owner.Identity{Name: name})
	return owner.With(t.Context(), o), o.End
}

// dieWith leases the next item and ends.
func dieWith(t *testing.T, q *queue.Joinable[string], name string, cause error) {
	t.Helper()
	ctx, end := someone(t, name)
	if _, err := q.TryLease(ctx); err != nil {
		t.Fatal(err)
	}
	end(cause)
}

func TestJoinable_ReportsWhatItGivesUp(t *testing.T) {
	t.Parallel()
	cause := errors.New("signal 11")
	var got []queue.Poisoned
	q := queue.NewJoinable[string](0, queue.Named("photos"), queue.MaxDeliveries(3),
		queue.OnPoisoned(func(p queue.Poisoned) { got = append(got, p) }))
	if err := q.Put(t.Context(), "bad.jpg"); err != nil {
		t.Fatal(err)
	}
	dieWith(t, q, "first", nil)
	dieWith(t, q, "second", nil)
	if len(got) != 0 {
		t.Fatalf("given up after two deaths of three: %v", got)
	}
	dieWith(t, q, "third", cause)
	if len(got) != 1 {
		t.Fatalf("%d items were given up, want 1", len(got))
	}
	var item string
	if err := task.Decode(got[0].Item, &item); err != nil || item != "bad.jpg" {
		t.Errorf("the item is %q, %v", item, err)
	}
	if p := got[0]; p.Deliveries != 3 || p.Last.Name != "third" || p.Last.Cause != cause {
		t.Errorf("deliveries %d, last %v: %v", p.Deliveries, p.Last.Name, p.Last.Cause)
	}
	if err := q.Join(t.Context()); err != nil {
		t.Errorf("Join: %v", err)
	}
}

// Not parallel: it replaces hclog's default logger.
func TestJoinable_LogsWhatItGivesUp(t *testing.T) {
	var text bytes.Buffer
	old := hclog.SetDefault(hclog.New(&hclog.LoggerOptions{Output: &text, Mutex: new(sync.Mutex)}))
	defer hclog.SetDefault(old)
	q := queue.NewJoinable[string](0, queue.Named("photos"))
	if err := q.Put(t.Context(), "bad.jpg"); err != nil {
		t.Fatal(err)
	}
	dieWith(t, q, "first", nil)
	dieWith(t, q, "second", errors.New("signal 11"))
	for _, want := range []string{"[WARN]", "photos", "deliveries=2", "second", "signal 11"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the line lacks %q: %s", want, text.String())
		}
	}
}

// Not parallel: it replaces hclog's default logger.
func TestJoinable_PanicOfItsCallbackKeepsNobodyWaiting(t *testing.T) {
	var text bytes.Buffer
	old := hclog.SetDefault(hclog.New(&hclog.LoggerOptions{Output: &text, Mutex: new(sync.Mutex)}))
	defer hclog.SetDefault(old)
	q := queue.NewJoinable[string](0, queue.Named("photos"), queue.MaxDeliveries(1),
		queue.OnPoisoned(func(queue.Poisoned) { panic("the shelf has fallen") }))
	other := queue.NewJoinable[string](0)
	ctx, end := someone(t, "o")
	for _, q := range []*queue.Joinable[string]{other, q} {
		if err := q.Put(ctx, "bad.jpg"); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Lease(ctx); err != nil {
			t.Fatal(err)
		}
	}
	joined := make(chan error)
	go func() { joined <- q.Join(t.Context()) }()
	end(nil)
	if err := <-joined; err != nil {
		t.Errorf("Join: %v", err)
	}
	if n, err := other.Len(t.Context()); n != 1 || err != nil {
		t.Errorf("%d items are back in the other queue, %v, want 1", n, err)
	}
	for _, want := range []string{"[ERROR]", "photos", "the shelf has fallen", "joinable_test.go"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log lacks %q: %s", want, text.String())
		}
	}
}

func TestJoinable_ErrorsNameTheQueueAndTheCall(t *testing.T) {
	t.Parallel()
	q := queue.NewJoinable[int](0, queue.Named("photos"))
	ctx, end := someone(t, "o")
	defer end(nil)
	_, err := q.TryLease(ctx)
	for call, err := range map[string]error{
		"try lease: empty: would block": err,
		"task done: more items done":    q.TaskDone(ctx),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "joinable queue photos: "+call) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// A backend that has no leases says so.
func TestJoinable_OverABackendWithoutLeases(t *testing.T) {
	t.Parallel()
	q := queue.OverJoinable[int](struct{ queue.Backend }{queue.NewMemory(0)})
	if err := q.Put(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	_, leased := q.Lease(t.Context())
	_, unfinished := q.Unfinished(t.Context())
	for _, err := range []error{leased, unfinished, q.TaskDone(t.Context()), q.Join(t.Context())} {
		if !errors.Is(err, queue.ErrUnsupported) {
			t.Errorf("got %v, want ErrUnsupported", err)
		}
	}
}
