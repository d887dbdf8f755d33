package queue_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

func TestRef_OnlySharedObjectsTravel(t *testing.T) {
	t.Parallel()
	end, _ := queue.Pipe[int](queue.Named("mine"))
	for name, v := range map[string]any{
		"Queue":    struct{ Q *queue.Queue[int] }{queue.New[int](0, queue.Named("mine"))},
		"Joinable": struct{ Q *queue.Joinable[int] }{queue.NewJoinable[int](0, queue.Named("mine"))},
		"Simple":   struct{ Q *queue.Simple[int] }{queue.NewSimple[int](queue.Named("mine"))},
		"End":      struct{ Q *queue.End[int] }{end},
	} {
		_, err := task.Encode(nil, v)
		if !errors.Is(err, queue.ErrNotShared) || !strings.Contains(err.Error(), "value.Q: ") || !strings.Contains(err.Error(), " mine: ") {
			t.Errorf("%s: %v, want ErrNotShared with the field's and the queue's name", name, err)
		}
	}
}

// sent encodes a value and decodes it into another type.
func sent(t *testing.T, from, to any) error {
	t.Helper()
	data, err := task.Encode(nil, from)
	if err != nil {
		t.Fatal(err)
	}
	return task.Decode(data, to)
}

func TestRef_ArrivesAsTheSameObject(t *testing.T) {
	t.Parallel()
	s := new(supervisor)
	ctx := context.WithValue(t.Context(), ipc.CallerKey{}, s.worker(t))
	type args struct {
		Queue    *queue.Queue[string]
		Joinable *queue.Joinable[string]
		Simple   *queue.Simple[string]
		A, B     *queue.End[string]
		None     *queue.Queue[string]
	}
	of := func(kind string, obj any) remote.Ref {
		ref := s.add(kind, 0, obj)
		ref.Type = "string"
		return ref
	}
	a, b := broker.NewPipe("q")
	in := args{
		Queue:    queue.Over[string](remote.NewQueue(of(remote.KindQueue, broker.NewQueue("q", 0)))),
		Joinable: queue.OverJoinable[string](remote.NewQueue(of(remote.KindJoinable, broker.NewQueue("q", 0)))),
		Simple:   queue.OverSimple[string](remote.NewQueue(of(remote.KindSimple, broker.NewQueue("q", 0)))),
		A:        queue.OverEnd[string](remote.NewPipeEnd(of(remote.KindPipe, a))),
		B:        queue.OverEnd[string](remote.NewPipeEnd(of(remote.KindPipe, b))),
	}
	var out args
	if err := sent(t, in, &out); err != nil {
		t.Fatal(err)
	}
	if out.None != nil {
		t.Errorf("nil arrived as %v", out.None)
	}
	owned, end := someone(t, "o")
	defer end(nil)
	owned = context.WithValue(owned, ipc.CallerKey{}, ctx.Value(ipc.CallerKey{}))
	for name, c := range map[string]struct {
		put func(context.Context, string) error
		get func(context.Context) (string, error)
	}{
		"queue":    {in.Queue.Put, out.Queue.Get},
		"joinable": {in.Joinable.Put, out.Joinable.Get},
		"simple":   {in.Simple.Put, out.Simple.Get},
		"a to b":   {in.A.Put, out.B.Get},
		"b to a":   {out.B.Put, in.A.Get},
	} {
		if err := c.put(owned, name); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v, err := c.get(owned); v != name || err != nil {
			t.Errorf("%s: got %q, %v", name, v, err)
		}
	}
	a.Close()
	if _, err := out.B.Get(ctx); err != io.EOF {
		t.Errorf("Get from a pipe whose other end was closed: %v, want io.EOF", err)
	}
	if _, err := out.Queue.TryGet(ctx); err == nil || !strings.HasPrefix(err.Error(), "queue q: ") {
		t.Errorf("the name did not travel: %v", err)
	}
}

func TestRef_IsOfOneKindAndType(t *testing.T) {
	t.Parallel()
	ref := remote.Ref{ID: 1, Kind: remote.KindQueue, Name: "q", Type: "string"}
	q := queue.Over[string](remote.NewQueue(ref))
	for name, to := range map[string]any{
		"type": new(queue.Queue[int]),
		"kind": new(queue.Joinable[string]),
		"end":  new(queue.End[string]),
	} {
		if err := sent(t, q, to); !errors.Is(err, queue.ErrMismatch) {
			t.Errorf("another %s: %v, want ErrMismatch", name, err)
		}
	}
	if err := sent(t, "no reference", new(queue.Queue[string])); err == nil {
		t.Error("a text was taken for a reference")
	}
}

// FuzzRef_Decode: a reference comes from another process.
func FuzzRef_Decode(f *testing.F) {
	q := queue.Over[string](remote.NewQueue(remote.Ref{ID: 1, Kind: remote.KindQueue, Name: "q", Type: "string", Size: 3}))
	seed, err := task.Encode(nil, q)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)-1])
	f.Add([]byte("\xdd\xff\xff\xff\xff"))
	f.Add([]byte{0xc0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var got queue.Queue[string]
		if task.Decode(data, &got) != nil || bytes.Equal(data, []byte{0xc0}) {
			return // nil is a queue that was not set
		}
		again, err := task.Encode(nil, &got)
		if err != nil || !bytes.Equal(again, seed) && task.Decode(again, new(queue.Queue[string])) != nil {
			t.Errorf("%x decodes, but what it decodes to does not travel: %x, %v", data, again, err)
		}
	})
}
