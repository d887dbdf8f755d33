package worker

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// chats makes calls until a reply says that it is enough, and waits then until its
// context ends or a token comes.
var _ = task.Define("test.chats", func(ctx context.Context, argument []byte) (int, error) {
	c := ctx.Value(ipc.CallerKey{}).(ipc.Caller)
	for n := 1; ; n++ {
		reply, err := c.Call(ctx, "test.op", argument)
		if err != nil {
			return n, err
		}
		if string(reply) != "enough" {
			continue
		}
		select {
		case <-enough:
			return n, nil
		case <-ctx.Done():
			return n, context.Cause(ctx)
		}
	}
})

var enough = make(chan struct{}, 1)

// crowds has several goroutines make calls at once.
var _ = task.Define("test.crowds", func(ctx context.Context, n int) (int, error) {
	c := ctx.Value(ipc.CallerKey{}).(ipc.Caller)
	const goroutines = 4
	errs := make(chan error, goroutines)
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range n {
				reply, err := c.Call(ctx, "test.op", []byte{1})
				if err == nil && string(reply) != "yes" {
					err = errors.New("another reply")
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return n, <-errs
})

// led starts job 1, which makes calls, and returns with one that it leads for: the
// next reply is read by the job itself, if it is quick.
func led(t *testing.T) (l *local, call ipc.Message) {
	t.Helper()
	l = setup(t)
	// Nothing here blocks for ever: the end of the link ends what waits.
	timer := time.AfterFunc(20*time.Second, func() { l.in.Close() })
	t.Cleanup(func() { timer.Stop() })
	l.send(job1(1, "test.chats", []byte("more?")))
	for {
		call = l.expect(ipc.KindCall)
		l.srv.reading.mu.Lock()
		leads := l.srv.reading.leads
		l.srv.reading.mu.Unlock()
		if leads > 2 {
			return l, call
		}
		l.send(ipc.AppendReply(nil, call.ID, ipc.StatusOK, []byte("more")))
	}
}

func TestLead_ReaderComesBackWhileTheJobComputes(t *testing.T) {
	l, call := led(t)
	l.send(ipc.AppendReply(nil, call.ID, ipc.StatusOK, []byte("enough")))
	for id := uint64(1); id < 4; id++ {
		l.send(ipc.AppendPing(nil, id))
		if m := l.expect(ipc.KindPong); m.ID != id {
			t.Fatalf("pong %d, want %d", m.ID, id)
		}
	}
	l.send(ipc.AppendCancel(nil, 1, true))
	if f := l.failure(1, ipc.StatusCancelled); !errors.Is(f, ErrCancelled) {
		t.Errorf("got %v, want ErrCancelled", f)
	}
}

func TestLead_ReaderComesBackWithTheEndOfTheJob(t *testing.T) {
	l, call := led(t)
	for id := uint64(2); id < 50; id++ {
		enough <- struct{}{}
		l.send(ipc.AppendReply(nil, call.ID, ipc.StatusOK, []byte("enough")))
		l.result(id-1, ipc.StatusOK)
		l.send(job1(id, "test.chats", []byte("more?")))
		for range 5 {
			call = l.expect(ipc.KindCall)
			l.send(ipc.AppendReply(nil, call.ID, ipc.StatusOK, []byte("more")))
		}
		call = l.expect(ipc.KindCall)
	}
}

// Whatever a leader reads beside the reply that it waits for is taken.
func TestLead_TakesWhatComesWithTheReply(t *testing.T) {
	l, call := led(t)
	enough <- struct{}{}
	l.send(
		ipc.AppendPing(nil, 7),
		job1(2, "echo", "second"),
		job1(3, "echo", "third"),
		ipc.AppendCancel(nil, 3, false),
		ipc.AppendReply(nil, call.ID, ipc.StatusOK, []byte("enough")),
	)
	l.expect(ipc.KindPong)
	l.result(3, ipc.StatusRecalled)
	l.result(1, ipc.StatusOK)
	if got := l.result(2, ipc.StatusOK); !bytes.Equal(got, encoded("second")) {
		t.Errorf("got %q", got)
	}
}

func TestLead_EveryoneWhoWaitsIsAnswered(t *testing.T) {
	l, call := led(t)
	enough <- struct{}{}
	l.send(ipc.AppendReply(nil, call.ID, ipc.StatusOK, []byte("enough")))
	l.result(1, ipc.StatusOK)
	const n = 200
	l.send(job1(2, "test.crowds", n))
	for range n {
		var calls []ipc.Message
		for range 4 {
			calls = append(calls, l.expect(ipc.KindCall))
		}
		for i := len(calls) - 1; i >= 0; i-- { // the first to ask last
			l.send(ipc.AppendReply(nil, calls[i].ID, ipc.StatusOK, []byte("yes")))
		}
	}
	l.result(2, ipc.StatusOK)
}

// What others keep the link busy with does not keep who leads from its own end.
func TestLead_EndsWithTheContextThoughOthersKeepTheLinkBusy(t *testing.T) {
	var pings []byte
	for id := uint64(1); id <= 1000; id++ {
		pings = ipc.AppendFrame(pings, ipc.AppendPing(nil, id))
	}
	busy := append(ipc.AppendFrame(nil, ipc.AppendCancel(nil, 1, true)), pings...)
	l, call := led(t)
	withdrawn := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for {
			if _, err := l.w.Write(busy); err != nil {
				return
			}
			busy = pings
			select {
			case <-withdrawn:
				return
			default:
			}
		}
	})
	for pongs := 0; l.frame().Kind != ipc.KindCall; {
		if pongs++; pongs > 300_000 {
			t.Fatal("the call is not withdrawn while there is something to read")
		}
	}
	close(withdrawn)
	reply := ipc.AppendFrame(nil, ipc.AppendReply(nil, call.ID, ipc.StatusCancelled, nil))
	go func() {
		writing.Wait()
		l.w.Write(reply)
	}()
	for l.frame().Kind != ipc.KindResult {
	}
}

func TestLead_EndsWithTheLink(t *testing.T) {
	l, _ := led(t)
	l.w.Close()
	if code := l.exit(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestLead_BadFramesEndTheWorker(t *testing.T) {
	l, call := led(t)
	l.send(ipc.AppendReply(nil, call.ID+1, ipc.StatusOK, nil))
	if code := l.exit(); code != exitProtocol {
		t.Errorf("exit code %d, want %d", code, exitProtocol)
	}
}

// singles sends jobs one by one until the one that runs them reads the next itself.
func singles(t *testing.T) (l *local, next uint64) {
	t.Helper()
	l = setup(t)
	timer := time.AfterFunc(20*time.Second, func() { l.in.Close() })
	t.Cleanup(func() { timer.Stop() })
	for id := uint64(1); ; id++ {
		l.send(job1(id, "echo", "one"))
		if got := l.result(id, ipc.StatusOK); !bytes.Equal(got, encoded("one")) {
			t.Fatalf("got %q", got)
		}
		l.srv.reading.mu.Lock()
		leads := l.srv.reading.leads
		l.srv.reading.mu.Unlock()
		if leads > 2 {
			return l, id + 1
		}
	}
}

func TestLeadToJob_ReaderComesBackWhileTheJobRuns(t *testing.T) {
	l, id := singles(t)
	l.send(job1(id, "test.chats", []byte("more?")))
	call := l.expect(ipc.KindCall)
	l.send(ipc.AppendReply(nil, call.ID, ipc.StatusOK, []byte("enough")))
	l.send(ipc.AppendPing(nil, 5))
	l.expect(ipc.KindPong)
	l.send(ipc.AppendCancel(nil, id, true))
	l.failure(id, ipc.StatusCancelled)
}

func TestLeadToJob_TakesManyAtOnce(t *testing.T) {
	l, id := singles(t)
	for range 20 {
		l.send(
			job1(id, "echo", "first"),
			job1(id+1, "echo", "second"),
			job1(id+2, "echo", "third"),
		)
		for _, want := range []string{"first", "second", "third"} {
			if got := l.result(id, ipc.StatusOK); !bytes.Equal(got, encoded(want)) {
				t.Fatalf("job %d: got %q, want %q", id, got, want)
			}
			id++
		}
		for range singlesFrom + 2 {
			l.send(job1(id, "echo", "one"))
			l.result(id, ipc.StatusOK)
			id++
		}
	}
}

func TestLeadToJob_EndsWhenToldTo(t *testing.T) {
	for name, tell := range map[string]func(*local){
		"stop":      func(l *local) { l.send(ipc.AppendStop(nil)) },
		"terminate": func(l *local) { l.srv.terminate() },
		"end":       func(l *local) { l.w.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := singles(t)
			tell(l)
			if code := l.exit(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
