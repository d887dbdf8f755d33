package worker

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// asks makes a call, and returns what came of it.
var _ = task.Define("test.asks", func(ctx context.Context, argument []byte) ([]byte, error) {
	return ctx.Value(ipc.CallerKey{}).(ipc.Caller).Call(ctx, "test.op", argument)
})

// posts tells something.
var _ = task.Define("test.posts", func(ctx context.Context, argument []byte) (int, error) {
	return 0, ctx.Value(ipc.CallerKey{}).(ipc.Caller).Post("test.post", argument)
})

func TestCall_GoesOutAndItsReplyComesBack(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(job1(1, "test.asks", []byte("question")))
	m := l.expect(ipc.KindCall)
	if m.ID != 1 || string(m.Name) != "test.op" || string(m.Body) != "question" {
		t.Fatalf("call %d of %q with %q", m.ID, m.Name, m.Body)
	}
	l.send(ipc.AppendReply(nil, 1, ipc.StatusOK, []byte("answer")))
	if got := l.result(1, ipc.StatusOK); !bytes.Equal(got, encoded([]byte("answer"))) {
		t.Errorf("got %q", got)
	}
}

// A reply in parts stands between whatever else comes, the argument of a job too.
func TestCall_TakesAReplyInParts(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(job1(1, "test.asks", []byte("question")))
	l.expect(ipc.KindCall)
	part := bytes.Repeat([]byte{7}, ipc.MaxInline)
	job := encoded(bytes.Repeat([]byte{9}, ipc.MaxInline))
	l.send(
		ipc.AppendJob(nil, 2, "echo", 1, 0, "", "", job),
		ipc.AppendReply(nil, 1, ipc.StatusPart, part),
		ipc.AppendData(nil, 2, job[:ipc.MaxInline]),
		ipc.AppendReply(nil, 1, ipc.StatusPart, part),
		ipc.AppendPing(nil, 5),
		ipc.AppendReply(nil, 1, ipc.StatusOK, []byte{8}),
		ipc.AppendData(nil, 2, job[ipc.MaxInline:]),
	)
	l.expect(ipc.KindPong)
	want := append(bytes.Repeat([]byte{7}, 2*ipc.MaxInline), 8)
	if got := l.result(1, ipc.StatusOK); !bytes.Equal(got, encoded(want)) {
		t.Errorf("got %d bytes", len(got))
	}
	if got := l.result(2, ipc.StatusOK); !bytes.Equal(got, job) {
		t.Errorf("got %d bytes of the job", len(got))
	}
}

func TestCall_SendsALongArgumentInChunks(t *testing.T) {
	t.Parallel()
	l := setup(t)
	argument := bytes.Repeat([]byte{3}, 3*ipc.MaxInline)
	// Not in the argument of a job, which would travel in chunks itself.
	l.send(job1(1, "test.asks", argument[:10]))
	l.expect(ipc.KindCall)
	done := make(chan error, 1)
	go func() {
		reply, err := l.srv.client.Call(context.Background(), "test.long", argument)
		if err == nil && string(reply) != "taken" {
			err = errors.New("another reply")
		}
		done <- err
	}()
	m := l.expect(ipc.KindCall)
	if !m.Chunked() || m.Size != uint64(len(argument)) {
		t.Fatalf("a call of %d bytes, inline: %v", m.Size, !m.Chunked())
	}
	if err := l.asm.Begin(&m); err != nil {
		t.Fatal(err)
	}
	for whole := (*ipc.Message)(nil); whole == nil; {
		d := l.expect(ipc.KindData)
		var err error
		if whole, err = l.asm.Add(&d); err != nil {
			t.Fatal(err)
		}
	}
	l.send(ipc.AppendReply(nil, 2, ipc.StatusOK, []byte("taken")), ipc.AppendReply(nil, 1, ipc.StatusOK, nil))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCall_IsWithdrawnWhenItsJobIsCancelled(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(job1(1, "test.asks", []byte("question")))
	call := l.expect(ipc.KindCall)
	l.send(ipc.AppendCancel(nil, 1, true))
	post := l.expect(ipc.KindCall)
	if post.ID != 0 || string(post.Name) != "cancel" || !bytes.Equal(post.Body, []byte{0x91, byte(call.ID)}) {
		t.Fatalf("got call %d of %q with %x, want the cancel of %d", post.ID, post.Name, post.Body, call.ID)
	}
	l.send(ipc.AppendReply(nil, call.ID, ipc.StatusCancelled, nil))
	if f := l.failure(1, ipc.StatusCancelled); !errors.Is(f, ErrCancelled) {
		t.Errorf("got %v, want ErrCancelled", f)
	}
	// When the grant came first, the call has succeeded.
	l.send(job1(2, "test.asks", []byte("question")))
	call = l.expect(ipc.KindCall)
	l.send(ipc.AppendCancel(nil, 2, true))
	l.expect(ipc.KindCall)
	l.send(ipc.AppendReply(nil, call.ID, ipc.StatusOK, []byte("answer")))
	l.result(2, ipc.StatusOK)
}

func TestCall_IsLostWithTheLink(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(job1(1, "test.asks", []byte("question")))
	l.expect(ipc.KindCall)
	done := make(chan error, 1)
	go func() {
		_, err := l.srv.client.Call(context.Background(), "test.op", nil)
		done <- err
	}()
	l.expect(ipc.KindCall)
	l.w.Close()
	if err := <-done; !errors.Is(err, broker.ErrLost) {
		t.Errorf("got %v, want ErrLost", err)
	}
	if code := l.exit(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if _, err := l.srv.client.Call(context.Background(), "test.op", nil); !errors.Is(err, broker.ErrLost) {
		t.Errorf("after the end: %v, want ErrLost", err)
	}
}

func TestCall_RepliesThatNobodyAskedForEndTheWorker(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string][]byte{
		"unknown call":        ipc.AppendReply(nil, 9, ipc.StatusOK, nil),
		"part of no call":     ipc.AppendReply(nil, 9, ipc.StatusPart, []byte{1}),
		"notice that is none": ipc.AppendReply(nil, 0, ipc.StatusFailed, []byte{0xc0}),
	} {
		l := setup(t)
		l.send(frame)
		if code := l.exit(); code != exitProtocol {
			t.Errorf("%s: exit code %d, want %d", name, code, exitProtocol)
		}
	}
}

// A post is there before the call that follows it, and before the job's answer.
func TestPost_KeepsItsPlace(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(job1(1, "test.posts", []byte("first")), job1(2, "test.asks", []byte("second")))
	post := l.expect(ipc.KindCall)
	if post.ID != 0 || string(post.Body) != "first" {
		t.Fatalf("call %d with %q came first", post.ID, post.Body)
	}
	l.result(1, ipc.StatusOK)
	call := l.expect(ipc.KindCall)
	l.send(ipc.AppendReply(nil, call.ID, ipc.StatusOK, nil))
	l.result(2, ipc.StatusOK)
}

// holders tells which owner a job is.
var holders = make(chan *owner.Owner, 8)

var _ = task.Define("test.holds", func(ctx context.Context, how string) (int, error) {
	holders <- owner.From(ctx)
	if owner.From(ctx) != owner.From(context.WithValue(ctx, ipc.Kind(1), 1)) {
		return 0, errors.New("two owners")
	}
	switch how {
	case "panic":
		panic(how)
	case "error":
		return 0, errors.New(how)
	}
	return 0, nil
})

// A job is an owner until its function has returned, in whatever way.
func TestOwner_EndsWithItsJob(t *testing.T) {
	l := setup(t)
	for id, how := range []string{"return", "panic", "error"} {
		l.send(ipc.AppendJob(nil, uint64(id+1), "test.holds", 1, 0, "resize#1", "", encoded(how)))
		l.expect(ipc.KindResult)
		o := <-holders
		if !o.Ended() || o.Identity().Job != "resize#1" {
			t.Errorf("%s: %v, ended: %v", how, o.Identity(), o.Ended())
		}
		if failed := o.Abandoned().Cause != nil; failed != (how != "return") {
			t.Errorf("%s: its cause is %v", how, o.Abandoned().Cause)
		}
	}
}
