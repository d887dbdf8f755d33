package queue_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/queue/queuetest"
)

// supervisor has the objects that its workers share, by the number of their
// references, from 1.
type supervisor struct {
	mu      sync.Mutex
	objects []any
}

// Object implements remote.Table.
func (s *supervisor) Object(id uint64) (any, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == 0 || id > uint64(len(s.objects)) {
		return nil, false
	}
	return s.objects[id-1], true
}

// Open implements remote.Table: nothing is opened by its name here.
func (s *supervisor) Open(*remote.OpenRequest) (remote.Ref, error) {
	return remote.Ref{}, broker.ErrNotFound
}

// Running implements remote.Jobs: there are none.
func (s *supervisor) Running(uint64) (string, bool) { return "", false }

func (s *supervisor) add(kind string, size int, obj any) remote.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects = append(s.objects, obj)
	return remote.Ref{ID: uint64(len(s.objects)), Kind: kind, Name: "q", Size: int64(max(size, 0))}
}

// carrier is the link of one worker without anything in between: what is sent has
// arrived.
type carrier struct {
	mu      sync.Mutex
	session *remote.Session
}

// SendCall implements remote.Carrier.
func (c *carrier) SendCall(id uint64, op string, payload []byte, _ bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.Call(&ipc.Message{Kind: ipc.KindCall, ID: id, Name: []byte(op), Body: bytes.Clone(payload)})
}

// worker connects a new worker, whose process ends with the test.
func (s *supervisor) worker(t *testing.T) *remote.Client {
	c := &carrier{}
	client := remote.NewClient(c, ipc.MaxMessage)
	send := func(r remote.Reply) {
		err := client.Reply(&ipc.Message{Kind: ipc.KindReply, ID: r.ID, Status: r.Status, Body: bytes.Clone(r.Payload)})
		if err != nil {
			t.Errorf("reply: %v", err)
		}
	}
	c.session = remote.NewSession(s, s, owner.Identity{Name: "worker"}, send, nil)
	t.Cleanup(func() { c.session.End(nil) })
	return client
}

func (s *supervisor) harness(queues func(*remote.Queue, *broker.Queue) queue.Backend, ends func(*remote.PipeEnd, *broker.PipeEnd) queue.Backend) queuetest.Harness {
	open := func(kind string) func(int) (queue.Backend, queue.Backend) {
		return func(size int) (queue.Backend, queue.Backend) {
			q := broker.NewQueue("q", size)
			ref := s.add(kind, size, q)
			return queues(remote.NewQueue(ref), q), queues(remote.NewQueue(ref), q)
		}
	}
	return queuetest.Harness{
		Open:         open(remote.KindQueue),
		OpenJoinable: open(remote.KindJoinable),
		OpenPipe: func() (queue.Backend, queue.Backend) {
			a, b := broker.NewPipe("p")
			return ends(remote.NewPipeEnd(s.add(remote.KindPipe, 0, a)), a), ends(remote.NewPipeEnd(s.add(remote.KindPipe, 0, b)), b)
		},
		Exact: true,
	}
}

// All sides are in one worker, whose supervisor keeps the objects.
func TestQueuesOfAWorker_Conform(t *testing.T) {
	s := new(supervisor)
	remote.SetProcess(s.worker(t))
	t.Cleanup(func() { remote.SetProcess(nil) })
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		return s.harness(
			func(q *remote.Queue, _ *broker.Queue) queue.Backend { return q },
			func(e *remote.PipeEnd, _ *broker.PipeEnd) queue.Backend { return e })
	})
}

// closedThere are backends that are closed where the objects are: of two workers
// in one process, a call without a context does not know whose it is.
type (
	queueClosedThere struct {
		*remote.Queue
		q *broker.Queue
	}
	endClosedThere struct {
		*remote.PipeEnd
		e *broker.PipeEnd
	}
)

func (q queueClosedThere) Close() error {
	q.q.Close()
	return nil
}

func (q queueClosedThere) Shutdown() error {
	q.q.Shutdown()
	return nil
}

func (e endClosedThere) Close() error {
	e.e.Close()
	return nil
}

// Each behaviour has a worker of its own, in a bubble.
func TestQueuesOfWorkers_Conform(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		s := new(supervisor)
		client := s.worker(t)
		h := s.harness(
			func(q *remote.Queue, there *broker.Queue) queue.Backend { return queueClosedThere{q, there} },
			func(e *remote.PipeEnd, there *broker.PipeEnd) queue.Backend { return endClosedThere{e, there} })
		h.Context = func(ctx context.Context) context.Context { return context.WithValue(ctx, ipc.CallerKey{}, client) }
		h.Bubble = true
		return h
	})
}
