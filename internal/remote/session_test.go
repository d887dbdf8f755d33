package remote

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a table of one object of each kind, and the jobs of a worker.
type shelf struct {
	lock, rlock *broker.Lock
	objects     map[uint64]any
	running     map[uint64]bool
}

// The numbers of the objects on a shelf.
const (
	onLock = 1 + iota
	onRLock
	onSemaphore
	onCondition
	onEvent
	onBarrier
	onCells
	onQueue
	onSmall // a queue of 1
	onPipe
	onPeer
	onNothing
)

func newShelf() *shelf {
	sem, _ := broker.NewSemaphore("sem", 1, true)
	barrier, _ := broker.NewBarrier("barrier", 2, nil)
	a, b := broker.NewPipe("pipe")
	s := &shelf{lock: broker.NewLock("lock", false), rlock: broker.NewLock("rlock", true), running: map[uint64]bool{1: true, 2: true}}
	s.objects = map[uint64]any{
		onLock: s.lock, onRLock: s.rlock, onSemaphore: sem,
		onCondition: broker.NewCondition("condition", s.rlock), onEvent: broker.NewEvent("event"), onBarrier: barrier,
		onCells: broker.NewCells("cells", [][]byte{{1}, {2}}),
		onQueue: broker.NewQueue("queue", 0), onSmall: broker.NewQueue("small", 1), onPipe: a, onPeer: b,
	}
	return s
}

func (s *shelf) Object(id uint64) (any, bool) {
	obj, ok := s.objects[id]
	return obj, ok
}

func (s *shelf) Open(r *OpenRequest) (Ref, error) {
	if r.Name == "lock" {
		return Ref{ID: onLock, Kind: KindLock, Name: r.Name}, nil
	}
	return Ref{}, broker.ErrNotFound
}

func (s *shelf) Running(id uint64) (string, bool) { return fmt.Sprintf("job %d", id), s.running[id] }

// served is a session whose replies are kept.
type served struct {
	*Session
	*shelf
	mu      sync.Mutex
	replies []Reply
	warned  []string
}

func serve(s *shelf) *served {
	x := &served{shelf: s}
	x.Session = NewSession(s, s, owner.Identity{Name: "worker-1", PID: 7}, func(r Reply) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.replies = append(x.replies, r)
	}, func(msg string, kv ...any) { x.warned = append(x.warned, msg+fmt.Sprint(kv...)) })
	return x
}

// send serves one call.
func (x *served) send(id uint64, op string, args ...any) error {
	return x.Call(&ipc.Message{Kind: ipc.KindCall, ID: id, Name: []byte(op), Body: arguments(args...)})
}

func arguments(args ...any) []byte {
	payload, err := task.Encode(nil, args)
	if err != nil {
		panic(err)
	}
	return payload
}

// flood serves the same call with n numbers from 1 on, and returns the first error.
func (x *served) flood(n int, op string, args ...any) error {
	payload := arguments(args...)
	for id := range uint64(n) {
		if err := x.Call(&ipc.Message{Kind: ipc.KindCall, ID: id + 1, Name: []byte(op), Body: payload}); err != nil {
			return err
		}
	}
	return nil
}

// reply is the answer to a call, which has come.
func (x *served) reply(t *testing.T, id uint64) Reply {
	t.Helper()
	var found []Reply
	for _, r := range x.replies {
		if r.ID == id {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("call %d was answered %d times", id, len(found))
	}
	return found[0]
}

// fails checks that a call has failed so.
func (x *served) fails(t *testing.T, id uint64, want error) {
	t.Helper()
	r := x.reply(t, id)
	if r.Status != ipc.StatusFailed {
		t.Fatalf("call %d: status %v, want a failure", id, r.Status)
	}
	err, bad := decodeError(r.Payload)
	if bad != nil || !errors.Is(err, want) {
		t.Errorf("call %d: %v, %v; want %v", id, err, bad, want)
	}
}

func (x *served) succeeds(t *testing.T, id uint64) Reply {
	t.Helper()
	r := x.reply(t, id)
	if r.Status != ipc.StatusOK {
		err, _ := decodeError(r.Payload)
		t.Fatalf("call %d: %v: %v", id, r.Status, err)
	}
	return r
}

// notice checks that there was one, which says so.
func (x *served) notice(t *testing.T, object, who uint64, want error) {
	t.Helper()
	s := scanner{b: x.reply(t, 0).Payload}
	s.arrayOf(3)
	gotObject, gotWho, err := s.uint(), s.uint(), s.cause()
	if !s.done() || gotObject != object || gotWho != who || !errors.Is(err, want) {
		t.Errorf("notice of %d for %d: %v; want %d for %d: %v", gotObject, gotWho, err, object, who, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	job1 = 1 << 1
	job2 = 2 << 1
	job9 = 9 << 1 // which does not run
)

func TestSession_AnswersWhenTheGrantComes(t *testing.T) {
	t.Parallel()
	x := serve(newShelf())
	must(t, x.send(1, opLockAcquire, onLock, job1, true))
	must(t, x.send(2, opLockAcquire, onLock, job2, true))
	must(t, x.send(3, opEventIsSet, onEvent, 0))
	x.succeeds(t, 1)
	x.succeeds(t, 3)
	if len(x.replies) != 2 {
		t.Fatalf("%d replies, want 2: one waits", len(x.replies))
	}
	must(t, x.send(0, opLockRelease, onLock, job1))
	x.succeeds(t, 2)
}

func TestSession_CancelsWhatWaits(t *testing.T) {
	t.Parallel()
	x := serve(newShelf())
	must(t, x.send(1, opQueueGet, onQueue, 0, true, 1))
	must(t, x.send(0, opCancel, 1))
	if r := x.reply(t, 1); r.Status != ipc.StatusCancelled {
		t.Errorf("status %v, want cancelled", r.Status)
	}
	// One that was answered, and one that never was, are not there to cancel.
	must(t, x.send(0, opCancel, 1))
	must(t, x.send(0, opCancel, 99))
	x.reply(t, 1)
}

func TestSession_EndOfJobReleasesAndRefusesMore(t *testing.T) {
	t.Parallel()
	x := serve(newShelf())
	must(t, x.send(1, opLockAcquire, onLock, job1, true))
	must(t, x.send(2, opEventWait, onEvent, job1))
	must(t, x.send(3, opLockAcquire, onLock, job2, true))
	x.running[1] = false
	x.JobEnded(1, errors.New("boom"))
	x.fails(t, 2, broker.ErrEnded)
	s := scanner{b: x.succeeds(t, 3).Payload}
	left := s.abandoned()
	if !s.done() || left == nil || left.PID != 7 || left.Job != "job 1" || left.Cause == nil || left.Cause.Error() != "boom" {
		t.Errorf("left by %+v", left)
	}
	if len(x.warned) != 1 || !strings.Contains(x.warned[0], `lock "lock"`) {
		t.Errorf("warned of %q", x.warned)
	}
	must(t, x.send(4, opLockAcquire, onRLock, job1, true))
	x.fails(t, 4, broker.ErrEnded)
	must(t, x.send(5, opLockAcquire, onRLock, job9, true))
	x.fails(t, 5, broker.ErrEnded)
}

func TestSession_EndFreesEverything(t *testing.T) {
	t.Parallel()
	x := serve(newShelf())
	must(t, x.send(0, opOwner, 3, "thread"))
	must(t, x.send(1, opLockAcquire, onLock, 3, true))
	must(t, x.send(2, opLockAcquire, onRLock, job1, true))
	must(t, x.send(3, opQueueGet, onSmall, 0, true, 1))
	must(t, x.send(0, opPipeHold, onPipe, 0))
	n := len(x.replies)
	x.End(errors.New("killed"))
	if x.lock.Holder() != nil || x.rlock.Holder() != nil {
		t.Error("locks are still held")
	}
	small := x.objects[onSmall].(*broker.Queue)
	if ok, err := small.TryPut([]byte{1}); !ok || err != nil || small.Len() != 1 {
		t.Errorf("the getter that was killed got an item: %v, %v", ok, err)
	}
	if _, err := x.objects[onPeer].(*broker.PipeEnd).TryPut([]byte{1}); !errors.Is(err, broker.ErrLost) {
		t.Errorf("put to the end of a dead process: %v, want ErrLost", err)
	}
	if len(x.replies) != n {
		t.Errorf("%d replies after the end", len(x.replies)-n)
	}
}

func TestSession_TellsOfPostsThatFail(t *testing.T) {
	t.Parallel()
	x := serve(newShelf())
	must(t, x.send(0, opLockRelease, onLock, job1))
	x.notice(t, onLock, job1, broker.ErrNotLocked)
}

func TestSession_PostsStayWhenTheirProducerHasEnded(t *testing.T) {
	t.Parallel()
	x := serve(newShelf())
	must(t, x.send(0, opQueuePut, onSmall, 0, putStays, []byte("a"), []byte("b")))
	must(t, x.send(1, opQueuePut, onSmall, 0, putStays, []byte("c")))
	must(t, x.send(2, opQueuePut, onSmall, job1, putWait, []byte("d")))
	must(t, x.send(3, opQueuePut, onSmall, job1, putNow, []byte("e")))
	x.fails(t, 3, broker.ErrFull)
	x.End(errors.New("killed"))
	q := x.objects[onSmall].(*broker.Queue)
	var got []string
	for {
		item, ok, err := q.TryGet()
		if !ok || err != nil {
			break
		}
		got = append(got, string(item))
	}
	if strings.Join(got, "") != "abc" {
		t.Errorf("got %q, want a, b and c", got)
	}
}

func TestSession_DeadlockHasItsCycle(t *testing.T) {
	t.Parallel()
	x := serve(newShelf())
	must(t, x.send(1, opLockAcquire, onLock, job1, true))
	must(t, x.send(2, opLockAcquire, onRLock, job2, true))
	must(t, x.send(3, opLockAcquire, onRLock, job1, true))
	must(t, x.send(4, opLockAcquire, onLock, job2, true))
	x.fails(t, 4, owner.ErrDeadlock)
	err, _ := decodeError(x.reply(t, 4).Payload)
	var deadlock *owner.DeadlockError
	if !errors.As(err, &deadlock) || len(deadlock.Cycle) != 2 || deadlock.Cycle[0].Waiter.Job != "job 2" || deadlock.Cycle[0].Resource != `lock "lock"` {
		t.Errorf("got %#v", err)
	}
}

func TestSession_WithoutTableSaysSo(t *testing.T) {
	t.Parallel()
	x := &served{shelf: newShelf()}
	x.Session = NewSession(nil, x.shelf, owner.Identity{}, func(r Reply) { x.replies = append(x.replies, r) }, nil)
	must(t, x.send(1, opLockAcquire, onLock, job1, true))
	x.fails(t, 1, broker.ErrNoManager)
	must(t, x.send(2, opOpen, KindLock, "lock", "", 0, false, "", []any{}))
	x.fails(t, 2, broker.ErrNoManager)
	must(t, x.send(0, opQueuePut, onQueue, 0, putStays, []byte("a")))
	x.notice(t, onQueue, 0, broker.ErrNoManager)
}

// A reference may come from elsewhere: from a worker of the worker's own.
func TestSession_TellsObjectsOfOthersFromThoseRemoved(t *testing.T) {
	t.Parallel()
	s := newShelf()
	home := Register(s)
	defer Unregister(home)
	x := serve(s)
	must(t, x.send(1, opLockAcquire, onLock, job1, true))
	x.fails(t, 1, broker.ErrNoManager)
	must(t, x.send(2, opLockAcquire, home|onLock, job1, true))
	x.fails(t, 2, broker.ErrRemoved)
}

// What waits, or hands something out, would as a post be known to nobody.
func TestSession_RefusesPostsThatNeedAnAnswer(t *testing.T) {
	t.Parallel()
	for op, o := range operations {
		x := serve(newShelf())
		err := x.Call(&ipc.Message{Kind: ipc.KindCall, Name: []byte(op), Body: []byte{0xc1}})
		refused := err != nil && strings.Contains(err.Error(), "not a post")
		if want := o.as == asCall; refused != want {
			t.Errorf("post of %s: %v", op, err)
		}
	}
	for _, op := range []string{opEventWait, opBarrierWait, opQueueJoin, opConditionWait, opLockAcquire, opQueueGet, opQueueLease, opSemaphoreAcquire} {
		if operations[op].as != asCall {
			t.Errorf("%s, which waits, may be a post", op)
		}
	}
}

func TestSession_RefusesAnswersThatDoNotTravel(t *testing.T) {
	t.Parallel()
	s := newShelf()
	value := make([]byte, 40<<20)
	s.objects[onCells] = broker.NewCells("cells", [][]byte{value, value})
	x := serve(s)
	must(t, x.send(1, opCellsSnapshot, onCells, 0))
	x.fails(t, 1, broker.ErrTooLarge)
	must(t, x.send(2, opCellsLoad, onCells, 0, 1))
	x.succeeds(t, 2)
	s.objects[onCells] = broker.NewCells("cells", [][]byte{make([]byte, maxReply)})
	must(t, x.send(3, opCellsLoad, onCells, 0, 0))
	x.fails(t, 3, broker.ErrTooLarge)
}

// What a worker says that does not keep to the protocol ends it.
func TestSession_RefusesToBeOutrun(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]func(x *served) error{
		"arguments that are none": func(x *served) error {
			return x.Call(&ipc.Message{ID: 1, Name: []byte(opLockAcquire), Body: []byte{0xc1}})
		},
		"no arguments":           func(x *served) error { return x.Call(&ipc.Message{ID: 1, Name: []byte(opLockAcquire)}) },
		"too few arguments":      func(x *served) error { return x.send(1, opLockAcquire, onLock, job1) },
		"too many arguments":     func(x *served) error { return x.send(1, opLockRelease, onLock, job1, 1) },
		"an argument of another": func(x *served) error { return x.send(1, opLockAcquire, "lock", job1, true) },
		"a call of a post":       func(x *served) error { return x.send(1, opCancel, 1) },
		"a kind that is none":    func(x *served) error { return x.send(1, opCellsAdd, onCells, 0, 0, 1000, []byte{1}) },
		"an owner that is a job": func(x *served) error { return x.send(0, opOwner, 2, "x") },
		"an owner named twice": func(x *served) error {
			return errors.Join(x.send(0, opOwner, 3, "x"), x.send(0, opOwner, 3, "y"))
		},
		"a call that is open": func(x *served) error {
			return errors.Join(x.send(1, opEventWait, onEvent, 0), x.send(1, opEventWait, onEvent, 0))
		},
		"an array that is not there": func(x *served) error {
			return x.Call(&ipc.Message{ID: 1, Name: []byte(opOpen), Body: []byte{0xdd, 0xff, 0xff, 0xff, 0xff}})
		},
		"posts without end": func(x *served) error {
			item := make([]byte, 1<<20)
			var err error
			for range 100 {
				err = errors.Join(err, x.send(0, opQueuePut, onSmall, 0, putStays, item))
			}
			return err
		},
		"calls without end": func(x *served) error {
			return x.flood(MaxOpen+1, opEventWait, onEvent, 0)
		},
		"flushes without end": func(x *served) error {
			if err := x.send(0, opQueuePut, onSmall, 0, putStays, []byte("a"), []byte("b")); err != nil {
				return fmt.Errorf("the posts already: %v", err)
			}
			return x.flood(MaxOpen+1, opQueuePut, onSmall, 0, putStays)
		},
		"puts that stay without end": func(x *served) error {
			return x.flood(MaxOpen+2, opQueuePut, onSmall, 0, putStays, []byte("a"))
		},
		"a mode that is none":        func(x *served) error { return x.send(1, opQueuePut, onSmall, 0, 3, []byte("a")) },
		"a post that waits to be in": func(x *served) error { return x.send(0, opQueuePut, onSmall, 0, putWait, []byte("a")) },
		"more cells than there can be": func(x *served) error {
			b := arguments(KindArray, "x", "int", 1, false, "", []any{})
			b = appendArray(b[:len(b)-1], MaxCells+1)
			b = append(b, bytes.Repeat([]byte{0xc4, 0}, MaxCells+1)...)
			return x.Call(&ipc.Message{ID: 1, Name: []byte(opOpen), Body: b})
		},
		"calls with payloads without end": func(x *served) error {
			item := make([]byte, 32<<20)
			var err error
			for id := range uint64(12) {
				err = errors.Join(err, x.send(id+1, opQueuePut, onSmall, job1, putWait, item))
			}
			return err
		},
	} {
		x := serve(newShelf())
		if err := script(x); !errors.Is(err, ipc.ErrProtocol) {
			t.Errorf("%s: %v, want a violation", name, err)
		}
		x.End(errors.New("killed"))
	}
}

// What a worker asks for that there is not is its own mistake, and no violation.
func TestSession_AnswersMistakes(t *testing.T) {
	t.Parallel()
	x := serve(newShelf())
	must(t, x.send(1, opLockAcquire, onNothing, job1, true))
	x.fails(t, 1, broker.ErrRemoved)
	must(t, x.send(2, opLockAcquire, onQueue, job1, true))
	x.fails(t, 2, broker.ErrMismatch)
	must(t, x.send(3, opLockAcquire, onLock, 0, true))
	x.fails(t, 3, broker.ErrNoOwner)
	must(t, x.send(4, opCellsLoad, onCells, 0, 2))
	x.fails(t, 4, broker.ErrRange)
	must(t, x.send(5, "no.such", 1))
	if r := x.reply(t, 5); r.Status != ipc.StatusFailed {
		t.Errorf("status %v", r.Status)
	}
	must(t, x.send(0, "no.such", 1))
	must(t, x.send(6, opOpen, KindLock, "lok", "", 0, false, "", []any{}))
	x.fails(t, 6, broker.ErrNotFound)
}
