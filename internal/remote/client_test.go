package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
)

// loop joins a client and a session without a link between them. What is posted is
// held back until somebody calls, as a worker does.
type loop struct {
	*Client
	*Session
	slow bool // a post is on its way until somebody calls, even if it is not held back
	mu   sync.Mutex
	held []ipc.Message
}

func newLoop(t *testing.T, s *shelf) *loop {
	l := &loop{}
	l.Client = NewClient(l, ipc.MaxMessage)
	l.Session = NewSession(s, s, owner.Identity{Name: "worker-1", PID: 7}, func(r Reply) {
		if err := l.Reply(&ipc.Message{Kind: ipc.KindReply, ID: r.ID, Status: r.Status, Body: r.Payload}); err != nil {
			t.Errorf("reply to %d: %v", r.ID, err)
		}
	}, nil)
	return l
}

func (l *loop) SendCall(id uint64, op string, payload []byte, now bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, ipc.Message{Kind: ipc.KindCall, ID: id, Name: []byte(op), Body: append([]byte{}, payload...)})
	if !now || id == 0 && l.slow {
		return nil
	}
	for _, m := range l.held {
		if err := l.Session.Call(&m); err != nil {
			return err
		}
	}
	l.held = nil
	return nil
}

// party returns a context whose owner asks by this link.
func (l *loop) party(t *testing.T, name string) (context.Context, *owner.Owner) {
	o := owner.New(owner.Identity{Name: name})
	t.Cleanup(func() { o.End(nil) })
	return owner.With(context.WithValue(t.Context(), ipc.CallerKey{}, l.Client), o), o
}

// Whoever waits for a lock, in another process, waits for nothing that its holder
// does after it has given it back.
func TestLock_IsFreeWhenItsHolderHasReleasedIt(t *testing.T) {
	t.Parallel()
	s := newShelf()
	l := newLoop(t, s)
	ctx, _ := l.party(t, "holder")
	lock := NewLock(Ref{ID: onLock, Kind: KindLock, Name: "lock"})
	if _, err := lock.Acquire(ctx, true); err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(ctx); err != nil {
		t.Fatal(err)
	}
	other := owner.New(owner.Identity{Name: "other"})
	if _, err := s.lock.TryAcquire(other); err != nil {
		t.Errorf("got %v: the release is held back", err)
	}
}

// One who takes it again at once sends the release together with that, until there was
// a longer time between the two.
func TestLock_ReleaseGoesWithTheCallThatMostlyFollows(t *testing.T) {
	t.Parallel()
	s := newShelf()
	l := newLoop(t, s)
	ctx, _ := l.party(t, "holder")
	lock := NewLock(Ref{ID: onLock, Kind: KindLock, Name: "lock"})
	other := owner.New(owner.Identity{Name: "other"})
	turn := func(pause time.Duration) (free bool) {
		t.Helper()
		time.Sleep(pause)
		if _, err := lock.Acquire(ctx, true); err != nil {
			t.Fatal(err)
		}
		if err := lock.Release(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := s.lock.TryAcquire(other); err != nil {
			return false
		}
		if _, err := s.lock.Release(other); err != nil {
			t.Fatal(err)
		}
		return true
	}
	for begun := time.Now(); turn(0); { // a busy machine may come between
		if time.Since(begun) > 10*time.Second {
			t.Fatal("each release is written by itself")
		}
	}
	if !turn(time.Millisecond) {
		t.Error("after a longer time the release is held back")
	}
}

// The lock was released by a stranger, which its holder learns when it has acquired
// the lock again: that hold must not be lost for it.
func TestLock_IsReleasedAfterItWasTakenAwayOnce(t *testing.T) {
	t.Parallel()
	s := newShelf()
	l := newLoop(t, s)
	l.slow = true
	ctx, _ := l.party(t, "holder")
	lock := NewLock(Ref{ID: onLock, Kind: KindLock, Name: "lock"})
	acquire := func() {
		t.Helper()
		if _, err := lock.Acquire(ctx, true); err != nil {
			t.Fatal(err)
		}
	}
	acquire()
	if stranger, err := s.lock.Release(nil); !stranger || err != nil {
		t.Fatal(stranger, err)
	}
	must(t, lock.Release(ctx)) // one way: that it was for nothing comes with the next answer
	acquire()
	must(t, lock.Release(ctx))
	must(t, l.Client.flush(ctx, onQueue, opQueuePut))
	if _, err := s.lock.TryAcquire(owner.New(owner.Identity{})); err != nil {
		t.Errorf("the lock that was released: %v", err)
	}
}

func TestRelease_TellsWhatWentWrongBeforeAndReleases(t *testing.T) {
	t.Parallel()
	s := newShelf()
	l := newLoop(t, s)
	ctx, _ := l.party(t, "holder")
	lock := NewLock(Ref{ID: onLock, Kind: KindLock, Name: "lock"})
	if _, err := lock.Acquire(ctx, true); err != nil {
		t.Fatal(err)
	}
	a, err := l.agentOf(ctx)
	must(t, err)
	before := errors.New("before")
	l.note(subject{onLock, a.number()}, before)
	if err := lock.Release(ctx); err != before {
		t.Errorf("got %v, want what went wrong before", err)
	}
	must(t, l.Client.flush(ctx, onQueue, opQueuePut))
	if _, err := s.lock.TryAcquire(owner.New(owner.Identity{})); err != nil {
		t.Errorf("the lock that was released: %v", err)
	}
}

// An owner that ends while others begin to ask for it leaves nothing behind.
func TestAgent_EndMeetsIntroduction(t *testing.T) {
	t.Parallel()
	s := newShelf()
	l := newLoop(t, s)
	lock := NewLock(Ref{ID: onLock, Kind: KindLock, Name: "lock"})
	for range 500 {
		ctx, o := l.party(t, "brief")
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { _, _ = lock.Acquire(ctx, false) })
		}
		all.Go(func() { o.End(nil) })
		all.Wait()
	}
	ctx, _ := l.party(t, "last")
	must(t, l.Client.flush(ctx, onQueue, opQueuePut))
	if n := len(l.Session.owners); n > 0 || l.Client.named > 0 || len(l.Client.agents) > 0 {
		t.Errorf("%d owners are left in the session, %d of %d in the client", n, len(l.Client.agents), l.Client.named)
	}
	if _, err := s.lock.TryAcquire(owner.New(owner.Identity{})); err != nil {
		t.Errorf("the lock: %v", err)
	}
}

func TestAgent_RefusesMoreOwnersThanTheLinkTakes(t *testing.T) {
	t.Parallel()
	l := newLoop(t, newShelf())
	l.Client.named = maxOwners
	ctx, _ := l.party(t, "one more")
	if _, err := NewLock(Ref{ID: onLock}).Acquire(ctx, true); err == nil {
		t.Error("the lock was acquired")
	}
}

// What nobody asks for must not keep what follows from being told.
func TestNotices_LastOneIsKept(t *testing.T) {
	t.Parallel()
	c := NewClient(silent{}, ipc.MaxMessage)
	for i := range uint64(2 * maxNotices) {
		c.note(subject{onLock, i}, errors.New("late"))
	}
	if len(c.notices) > maxNotices {
		t.Errorf("%d notices are kept", len(c.notices))
	}
	if c.noticed(onLock, 2*maxNotices-1) == nil {
		t.Error("the last one is not there")
	}
}

// A worker that gets a queue and a pipe with every job does not grow with them.
func TestProducers_AndEndsAreForgotten(t *testing.T) {
	t.Parallel()
	const n = maxProducers + 100
	s := newShelf()
	l := newLoop(t, s)
	ctx, _ := l.party(t, "producer")
	queue := NewQueue(Ref{ID: onQueue, Kind: KindQueue})
	put := func(item string) {
		t.Helper()
		if _, err := queue.PutBatch(ctx, [][]byte{[]byte(item)}); err != nil {
			t.Fatal(err)
		}
	}
	put("a")
	put("b") // posted
	for id := range uint64(n) {
		l.meet(100 + id)
		a, _ := broker.NewPipe("pipe")
		s.objects[100+id] = a
		must(t, l.Session.Call(&ipc.Message{Name: []byte(opPipeHold), Body: arguments(100+id, 0)}))
		delete(s.objects, 100+id)
	}
	if len(l.producers) > maxProducers || len(l.ends) > 1000 {
		t.Errorf("%d producers and %d ends are kept", len(l.producers), len(l.ends))
	}
	put("c")
	must(t, l.Client.flush(ctx, onQueue, opQueuePut))
	q := s.objects[onQueue].(*broker.Queue)
	got := ""
	for item, ok, _ := q.TryGet(); ok; item, ok, _ = q.TryGet() {
		got += string(item)
	}
	if got != "abc" {
		t.Errorf("got %q", got)
	}
}

func TestClient_TakesTheLargestAnswerThereIs(t *testing.T) {
	t.Parallel()
	c := NewClient(silent{}, ipc.MaxMessage)
	k := c.fresh()
	var size int
	k.then = func(k *exchange) { size = len(k.body) }
	must(t, c.start(t.Context(), k, opQueueGet, true))
	part := make([]byte, ipc.MaxInline)
	for range maxReply/ipc.MaxInline - 1 {
		must(t, c.Reply(&ipc.Message{ID: k.id, Status: ipc.StatusPart, Body: part}))
	}
	must(t, c.Reply(&ipc.Message{ID: k.id, Body: part}))
	if size != maxReply {
		t.Errorf("got %d bytes", size)
	}
	k = c.fresh()
	must(t, c.start(t.Context(), k, opQueueGet, true))
	var err error
	for i := 0; err == nil && i <= maxReply/ipc.MaxInline; i++ {
		err = c.Reply(&ipc.Message{ID: k.id, Status: ipc.StatusPart, Body: part})
	}
	if !errors.Is(err, ipc.ErrProtocol) {
		t.Error(fmt.Errorf("an answer without end: %w", err))
	}
}
