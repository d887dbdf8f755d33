package remote

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// step is one entry of testdata/protocol/operations.json.
type step struct {
	Name, Operation string
	ID              uint64
	Payload         string
	Replies         []goldenReply
}

type goldenReply struct {
	ID      uint64
	Status  ipc.Status
	Payload string
	Code    string // of a failure
	Object  uint64 // of a notice
	Owner   uint64
}

func goldenSteps(t *testing.T) (steps []step) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "protocol", "operations.json"))
	must(t, err)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	must(t, d.Decode(&steps))
	return steps
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}

// matches reports whether a reply of ours says what the vector says. The texts of
// failures are our own.
func (g *goldenReply) matches(t *testing.T, r Reply) bool {
	t.Helper()
	if r.ID != g.ID || r.Status != g.Status {
		return false
	}
	if g.Code == "" {
		return bytes.Equal(r.Payload, unhex(t, g.Payload))
	}
	failure := r.Payload
	if g.ID == 0 {
		s := scanner{b: r.Payload}
		s.arrayOf(3)
		if s.uint() != g.Object || s.uint() != g.Owner {
			return false
		}
		failure = s.bin()
		if !s.done() {
			return false
		}
	}
	f, err := task.DecodeFailure(failure)
	return err == nil && slices.Contains(f.Codes, g.Code)
}

// The supervisor's side: a conversation about the objects of a shelf.
func TestGolden_SessionAnswers(t *testing.T) {
	t.Parallel()
	x := serve(newShelf())
	seen := map[string]bool{}
	for _, s := range goldenSteps(t) {
		seen[s.Operation] = true
		x.replies = nil
		err := x.Call(&ipc.Message{Kind: ipc.KindCall, ID: s.ID, Name: []byte(s.Operation), Body: unhex(t, s.Payload)})
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if len(x.replies) != len(s.Replies) {
			t.Fatalf("%s: %d replies, want %d", s.Name, len(x.replies), len(s.Replies))
		}
		for i := range s.Replies {
			if !s.Replies[i].matches(t, x.replies[i]) {
				t.Errorf("%s: got %d %v %x, want %+v", s.Name, x.replies[i].ID, x.replies[i].Status, x.replies[i].Payload, s.Replies[i])
			}
		}
	}
	for op := range operations {
		if !seen[op] {
			t.Errorf("no vector of %s", op)
		}
	}
}

// told is a carrier that answers as the vectors do, and keeps what was said.
type told struct {
	*Client
	op      string
	reply   *goldenReply
	payload []byte
	done    chan struct{} // the operation was said
}

func (c *told) SendCall(id uint64, op string, payload []byte, _ bool) error {
	if op == opCancel {
		return c.Reply(&ipc.Message{ID: c.last, Status: ipc.StatusCancelled, Body: done})
	}
	if op != c.op {
		return nil
	}
	c.payload = bytes.Clone(payload)
	close(c.done)
	if id == 0 || c.reply == nil {
		return nil
	}
	body, _ := hex.DecodeString(c.reply.Payload)
	if c.reply.Code != "" {
		body = (&task.Failure{Msg: "no", Codes: []string{c.reply.Code}}).Append(nil)
	}
	return c.Reply(&ipc.Message{ID: id, Status: c.reply.Status, Body: body})
}

// The worker's side: what its proxies say, and what they make of the answers.
func TestGolden_ClientAsks(t *testing.T) {
	t.Parallel()
	var (
		lock, rlock, removed = NewLock(Ref{ID: onLock}), NewLock(Ref{ID: onRLock}), NewLock(Ref{ID: onNothing})
		sem, event           = NewSemaphore(Ref{ID: onSemaphore}), NewEvent(Ref{ID: onEvent})
		cond                 = NewCondition(Ref{ID: onCondition, Peer: onRLock})
		barrier, cells       = NewBarrier(Ref{ID: onBarrier}), NewCells(Ref{ID: onCells})
		queue, small         = NewQueue(Ref{ID: onQueue}), NewQueue(Ref{ID: onSmall, Size: 1})
		pipe, peer           = NewPipeEnd(Ref{ID: onPipe}), NewPipeEnd(Ref{ID: onPeer})
	)
	type ask = func(ctx context.Context, c *Client) error
	acquire := func(l *Lock, wait bool) ask {
		return func(ctx context.Context, _ *Client) error { _, err := l.Acquire(ctx, wait); return err }
	}
	release := func(l *Lock) ask {
		return func(ctx context.Context, c *Client) error {
			a, _ := c.agentOf(ctx)
			a.gained(l.ref.ID)
			return l.Release(ctx)
		}
	}
	plain := func(f func(context.Context) error) ask {
		return func(ctx context.Context, _ *Client) error { return f(ctx) }
	}
	wait := func(ctx context.Context, _ *Client) error { _, err := barrier.Wait(ctx); return err }
	load := func(i int) ask {
		return func(ctx context.Context, _ *Client) error { _, _, err := cells.Load(ctx, i); return err }
	}
	compare := func(v byte) ask {
		return func(ctx context.Context, _ *Client) error {
			_, err := cells.CompareAndSwap(ctx, 0, 0, []byte{v})
			return err
		}
	}
	item := func(s string) [][]byte { return [][]byte{append([]byte{0xa1}, s...)} }
	put := func(q *Queue, s string, posted bool) ask {
		return func(ctx context.Context, c *Client) error {
			if posted {
				c.meet(q.ref.ID)
			}
			_, err := q.PutBatch(ctx, item(s))
			return err
		}
	}
	lease := func(ctx context.Context, _ *Client) error { _, err := queue.Lease(ctx); return err }
	receive := func(ctx context.Context, _ *Client) error {
		_, err := peer.GetBatch(ctx, make([][]byte, 1))
		return err
	}
	open := func(name string) ask {
		return func(ctx context.Context, _ *Client) error {
			_, err := Open(ctx, &OpenRequest{Kind: KindLock, Name: name})
			return err
		}
	}
	// Who asks is job 1, and in some vectors another one.
	others := map[string]uint64{
		"acquire what is held, without waiting": 0, "acquire what is held": 0, "name an owner": 0, "end an owner": 0,
		"acquire for a job that does not run": 9, "acquire the lock that it released": 2, "notify all": 2,
		"release it to the waiter": 2, "notify without the lock": 2, "come last": 2,
	}
	asks := map[string]ask{
		"open a lock": open("lock"), "open what there is not": open("lok"),
		"name an owner": acquire(lock, true),
		"acquire":       acquire(lock, true), "acquire what is held, without waiting": acquire(lock, false),
		"acquire what is held": acquire(lock, true), "release": release(lock),
		"end an owner": func(ctx context.Context, c *Client) error {
			_, err := c.agentOf(ctx)
			owner.From(ctx).End(nil)
			return err
		},
		"acquire what was left behind": acquire(lock, true), "release again": release(lock), "release what is free": release(lock),
		"acquire for a job that does not run": acquire(lock, true),
		"acquire a permit":                    func(ctx context.Context, _ *Client) error { _, err := sem.Acquire(ctx, true, false); return err },
		"permits":                             func(ctx context.Context, _ *Client) error { _, err := sem.Value(ctx); return err },
		"release a permit": func(ctx context.Context, c *Client) error {
			a, _ := c.agentOf(ctx)
			a.gained(onSemaphore)
			return sem.Release(ctx)
		},
		"acquire the lock of a condition":   acquire(rlock, true),
		"wait for a condition":              func(ctx context.Context, _ *Client) error { _, err := cond.Wait(ctx); return err },
		"acquire the lock that it released": acquire(rlock, true),
		"notify all":                        plain(func(ctx context.Context) error { return cond.Notify(ctx, -1) }),
		"release it to the waiter":          release(rlock),
		"notify without the lock":           plain(func(ctx context.Context) error { return cond.Notify(ctx, 1) }),
		"wait for an event":                 plain(event.Wait),
		"set an event":                      plain(event.Set), "clear an event": plain(event.Clear),
		"is it set":         func(ctx context.Context, _ *Client) error { _, err := event.IsSet(ctx); return err },
		"wait at a barrier": wait, "come last": wait, "wait at a broken barrier": wait,
		"state of a barrier": func(ctx context.Context, _ *Client) error { _, _, _, err := barrier.State(ctx); return err },
		"abort a barrier":    plain(barrier.Abort), "reset a barrier": plain(barrier.Reset),
		"load": load(0), "load beyond the end": load(2),
		"store":            plain(func(ctx context.Context) error { return cells.Store(ctx, 1, []byte{0xcd, 1, 44}) }),
		"compare versions": compare(5), "compare an old version": compare(9),
		"compare values": func(ctx context.Context, _ *Client) error {
			_, err := cells.CompareAndSwapValue(ctx, 0, []byte{5}, []byte{6})
			return err
		},
		"add": func(ctx context.Context, _ *Client) error {
			_, err := cells.Add(ctx, 0, reflect.Int, []byte{1})
			return err
		},
		"all values": func(ctx context.Context, _ *Client) error { _, err := cells.Snapshot(ctx); return err },
		"put first":  put(queue, "a", false), "put more": put(queue, "b", true),
		"wait for what was posted": plain(queue.Flush),
		"state of a queue":         func(ctx context.Context, _ *Client) error { _, err := queue.Len(ctx); return err },
		"get many": func(ctx context.Context, _ *Client) error {
			_, err := queue.GetBatch(ctx, make([][]byte, 3))
			return err
		},
		"get from an empty queue, without waiting": plain(func(ctx context.Context) error {
			_, err := get(ctx, onQueue, opQueueGet, false, make([][]byte, 1))
			return err
		}),
		"lease": lease, "lease again": lease, "put what is waited for": put(queue, "c", true),
		"return":         plain(func(ctx context.Context) error { return queue.Return(ctx, 1) }),
		"done":           plain(func(ctx context.Context) error { return queue.Done(ctx, 2) }),
		"done too often": plain(queue.TaskDone), "join": plain(queue.Join),
		"put into a closed queue":  put(queue, "d", true),
		"put into a bounded queue": put(small, "a", false),
		"put into a full queue, without waiting": func(ctx context.Context, c *Client) error {
			return c.put(ctx, onSmall, opQueuePut, putNow, item("b")[0])
		},
		"send":    func(ctx context.Context, _ *Client) error { _, err := pipe.PutBatch(ctx, item("a")); return err },
		"receive": receive, "receive from a closed end": receive,
		"use an object as another kind": acquire(NewLock(Ref{ID: onQueue}), true), "use what was removed": acquire(removed, true),
		"have the end of a pipe": func(_ context.Context, c *Client) error { return NewPipeEnd(Ref{ID: onPipe}).holdFor(c) },
	}
	// Their contexts are no part of these methods.
	silent := map[string]bool{"cancel the wait": true, "close a queue": true, "shut a queue down": true, "close an end": true}
	replies := map[uint64]*goldenReply{}
	steps := goldenSteps(t)
	for _, s := range steps {
		for i := range s.Replies {
			replies[s.Replies[i].ID] = &s.Replies[i]
		}
	}
	for _, s := range steps {
		f := asks[s.Name]
		if f == nil {
			if !silent[s.Name] {
				t.Errorf("%s: nobody asks that", s.Name)
			}
			continue
		}
		c := &told{op: s.Operation, reply: replies[s.ID], done: make(chan struct{})}
		c.Client = NewClient(c, ipc.MaxMessage)
		job, other := others[s.Name]
		if !other {
			job = 1
		}
		o := owner.New(owner.Identity{Name: "Thread-1"})
		if job > 0 {
			o = c.JobOwner(job, owner.Identity{Name: "job"})
		}
		ctx, cancel := context.WithCancel(owner.With(context.WithValue(t.Context(), ipc.CallerKey{}, c.Client), o))
		if s.ID == 0 || c.reply.Status == ipc.StatusCancelled {
			go func() { // nobody answers it but the cancel
				<-c.done
				cancel()
			}()
		}
		err := f(ctx, c.Client)
		if want := unhex(t, s.Payload); !bytes.Equal(c.payload, want) {
			t.Errorf("%s: said %x, want %x", s.Name, c.payload, want)
		}
		if s.ID != 0 {
			r := c.reply
			if r.Status == ipc.StatusOK && err != nil || r.Status != ipc.StatusOK && err == nil {
				t.Errorf("%s: %v after %+v", s.Name, err, r)
			}
			if r.Code != "" && !slices.Contains(task.NewFailure(err).Codes, r.Code) {
				t.Errorf("%s: %v, want %s", s.Name, err, r.Code)
			}
		}
		cancel()
	}
}
