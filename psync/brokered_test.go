package psync_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/psync/psynctest"
)

// supervisor has the objects that its workers share, each under the kind and name
// by which it was opened.
type supervisor struct {
	mu      sync.Mutex
	objects []any // by the number of their references, from 1
	refs    map[string]remote.Ref
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

func (s *supervisor) ref(kind, name string, make func() (any, error)) (remote.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ref, ok := s.refs[kind+name]; ok {
		return ref, nil
	}
	obj, err := make()
	if err != nil {
		return remote.Ref{}, err
	}
	ref := s.add(kind, name, obj)
	s.refs[kind+name] = ref
	return ref, nil
}

func (s *supervisor) add(kind, name string, obj any) remote.Ref {
	s.objects = append(s.objects, obj)
	ref := remote.Ref{ID: uint64(len(s.objects)), Kind: kind, Name: name}
	switch obj := obj.(type) {
	case *broker.Cells:
		ref.Size = int64(obj.Len())
	case *broker.Condition:
		lock := s.add(remote.KindRLock, name, obj.Lock())
		ref.Peer, ref.PeerKind = lock.ID, lock.Kind
	}
	return ref
}

// link is the link of one worker without anything in between: what is sent has
// arrived. It is the worker's remote.Carrier.
type link struct {
	mu      sync.Mutex
	session *remote.Session
	cut     bool
}

var errCut = errors.New("the link is cut")

func (l *link) SendCall(id uint64, op string, payload []byte, _ bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return errCut
	}
	return l.session.Call(&ipc.Message{Kind: ipc.KindCall, ID: id, Name: []byte(op), Body: bytes.Clone(payload)})
}

// end is the end of the worker's process.
func (l *link) end(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cut {
		l.cut = true
		l.session.End(cause)
	}
}

// worker connects a new worker.
func (s *supervisor) worker(t *testing.T, name string) (*remote.Client, *link) {
	l := &link{}
	client := remote.NewClient(l, ipc.MaxMessage)
	send := func(r remote.Reply) {
		err := client.Reply(&ipc.Message{Kind: ipc.KindReply, ID: r.ID, Status: r.Status, Body: bytes.Clone(r.Payload)})
		if err != nil {
			t.Errorf("reply to %s: %v", name, err)
		}
	}
	l.session = remote.NewSession(s, s, owner.Identity{Name: name}, send, nil)
	return client, l
}

func brokeredHarness(s *supervisor, party func(ctx context.Context, name string) psynctest.Party) psynctest.Harness {
	lock := func(kind string) func(psynctest.Party, string) psync.LockBackend {
		return func(_ psynctest.Party, name string) psync.LockBackend {
			return remote.NewLock(must(s.ref(kind, name, func() (any, error) {
				return broker.NewLock(name, kind == remote.KindRLock), nil
			})))
		}
	}
	semaphore := func(kind string) func(psynctest.Party, string, int) (psync.SemaphoreBackend, error) {
		return func(_ psynctest.Party, name string, n int) (psync.SemaphoreBackend, error) {
			ref, err := s.ref(kind, name, func() (any, error) {
				return broker.NewSemaphore(name, n, kind == remote.KindBoundedSemaphore)
			})
			return remote.NewSemaphore(ref), err
		}
	}
	return psynctest.Harness{
		Party:            party,
		Lock:             lock(remote.KindLock),
		RLock:            lock(remote.KindRLock),
		Semaphore:        semaphore(remote.KindSemaphore),
		BoundedSemaphore: semaphore(remote.KindBoundedSemaphore),
		Condition: func(_ psynctest.Party, name string, recursive bool) psync.ConditionBackend {
			return remote.NewCondition(must(s.ref(remote.KindCondition, name, func() (any, error) {
				return broker.NewCondition(name, broker.NewLock(name, recursive)), nil
			})))
		},
		Event: func(_ psynctest.Party, name string) psync.EventBackend {
			return remote.NewEvent(must(s.ref(remote.KindEvent, name, func() (any, error) {
				return broker.NewEvent(name), nil
			})))
		},
		Barrier: func(_ psynctest.Party, name string, n int, action func() error) (psync.BarrierBackend, error) {
			ref, err := s.ref(remote.KindBarrier, name, func() (any, error) { return broker.NewBarrier(name, n, action) })
			return remote.NewBarrier(ref), err
		},
		Cells: func(_ psynctest.Party, name string, values [][]byte) psync.CellsBackend {
			return remote.NewCells(must(s.ref(remote.KindArray, name, func() (any, error) {
				return broker.NewCells(name, values), nil
			})))
		},
		Bubble: true,
	}
}

// Every party is a worker of its own, and its end is that of its process.
func TestWorkers_Conform(t *testing.T) {
	psynctest.Run(t, func(t *testing.T) psynctest.Harness {
		s := &supervisor{refs: map[string]remote.Ref{}}
		return brokeredHarness(s, func(ctx context.Context, name string) psynctest.Party {
			client, link := s.worker(t, name)
			ctx = context.WithValue(ctx, ipc.CallerKey{}, client)
			return psynctest.Party{
				Name: name,
				Ctx:  owner.With(ctx, owner.New(owner.Identity{Name: name})),
				End: func(cause error) {
					link.end(cause)
					client.Lost(errCut)
				},
			}
		})
	})
}

// The parties are goroutines of one worker, each an owner of its own.
func TestGoroutinesOfAWorker_Conform(t *testing.T) {
	psynctest.Run(t, func(t *testing.T) psynctest.Harness {
		s := &supervisor{refs: map[string]remote.Ref{}}
		client, link := s.worker(t, "worker")
		t.Cleanup(func() { link.end(nil) })
		return brokeredHarness(s, func(ctx context.Context, name string) psynctest.Party {
			o := owner.New(owner.Identity{Name: name})
			ctx = context.WithValue(ctx, ipc.CallerKey{}, client)
			return psynctest.Party{Name: name, Ctx: owner.With(ctx, o), End: o.End}
		})
	})
}
