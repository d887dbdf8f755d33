//go:build unix

package pool_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// brittle panics when it is decoded by the process that asked for it.
type brittle struct{ n int }

func (b brittle) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeInt(int64(b.n)) }

func (b *brittle) DecodeMsgpack(d *msgpack.Decoder) (err error) {
	if b.n, err = d.DecodeInt(); b.n == 13 {
		panic("thirteen")
	}
	return err
}

var makeBrittle = task.Define("brittle", func(_ context.Context, n int) (brittle, error) { return brittle{n}, nil })

func TestResult_OfADecoderThatPanicsIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	var panicked *task.PanicError
	if _, err := pool.Call(b.ctx, b.Pool, makeBrittle, 13); !errors.As(err, &panicked) || !strings.Contains(panicked.Stack, "DecodeMsgpack") {
		t.Errorf("error %v", err)
	}
	if v, err := pool.Call(b.ctx, b.Pool, makeBrittle, 12); err != nil || v.n != 12 {
		t.Errorf("%v, %v", v, err)
	}
}

func TestOnDone_IsCalledOnceWithTheResult(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	f := submit(b, noop, 7)
	calls := make(chan int, 3)
	call := func(n int, err error) {
		if err != nil {
			t.Error(err)
		}
		calls <- n
	}
	f.OnDone(call)
	<-f.Done()
	f.OnDone(call) // too late to wait, and yet called
	if a, z := <-calls, <-calls; a != 7 || z != 7 {
		t.Errorf("called with %d and %d", a, z)
	}
	g := submit(b, fail, "no")
	failed := make(chan error)
	g.OnDone(func(_ int, err error) { failed <- err })
	if err := <-failed; !errors.Is(err, errSentinel) {
		t.Errorf("called with %v", err)
	}
	select {
	case n := <-calls:
		t.Errorf("called again, with %d", n)
	default:
	}
}

func TestOnDone_BadCallbacksStallNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	release := make(chan struct{})
	defer close(release)
	for _, bad := range []func(int, error){
		func(int, error) { <-release },
		func(int, error) { panic("aargh") },
		func(int, error) { runtime.Goexit() },
	} {
		f := submit(b, noop, 1)
		f.OnDone(bad)
		good := make(chan struct{})
		f.OnDone(func(int, error) { close(good) })
		<-good
		if n, err := pool.Call(b.ctx, b.Pool, noop, 2); n != 2 || err != nil {
			t.Fatal(n, err)
		}
	}
	waitFor(t, func() bool {
		return strings.Contains(b.stderr.String(), "callback of task noop panicked: aargh") && strings.Contains(b.stderr.String(), "future_test.go")
	})
}

func TestOnDone_PanicGoesToTheLogger(t *testing.T) {
	t.Parallel()
	lines := new(syncBuffer)
	b := setup(t, pool.Config{Workers: 1, Logger: hclog.New(&hclog.LoggerOptions{Output: lines})})
	submit(b, noop, 1, pool.WithLabel("seven")).OnDone(func(int, error) { panic("aargh") })
	waitFor(t, func() bool { return strings.Contains(lines.String(), "callback panicked: job=seven panic=aargh") })
	if b.stderr.String() != "" {
		t.Errorf("and stderr has %q", b.stderr.String())
	}
}

func TestCancel_SaysWhatItFound(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	begun := make(chan struct{})
	running := &pool.Job{Task: nap.Name(), Started: func(*pool.Job, int, int, string, int) { close(begun) }}
	running.Payload, _ = nap.EncodeIn(nil, time.Minute)
	ended := make(chan pool.Outcome, 1)
	running.Done = func(_ *pool.Job, r *pool.Result) { ended <- r.Outcome }
	if err := b.Go(running); err != nil {
		t.Fatal(err)
	}
	<-begun
	waiting := submit(b, nap, time.Minute)
	if s := waiting.Cancel(); s != pool.Dequeued {
		t.Errorf("one that waits: %v", s)
	}
	if _, err := waiting.Result(b.ctx); !errors.Is(err, pool.ErrCancelled) {
		t.Errorf("and then %v", err)
	}
	if s := waiting.Cancel(); s != pool.TooLate {
		t.Errorf("one that was cancelled: %v", s)
	}
	if s := b.Cancel(running); s != pool.Interrupting {
		t.Errorf("one that runs: %v", s)
	}
	if o := <-ended; o != pool.Cancelled {
		t.Errorf("and then %v", o)
	}
	done := submit(b, noop, 1)
	<-done.Done()
	if s := done.Cancel(); s != pool.TooLate {
		t.Errorf("one that is done: %v", s)
	}
	if s := b.Cancel(new(pool.Job)); s != pool.TooLate {
		t.Errorf("one that was never there: %v", s)
	}
	again := submit(b, fail, "no", pool.WithRetry(pool.Retry{Max: 1, Backoff: time.Hour}))
	waitFor(t, func() bool { // until it waits for its next attempt
		s := b.Stats()
		return s.Waiting == 1
	})
	if s := again.Cancel(); s != pool.Dequeued {
		t.Errorf("one between two attempts: %v", s)
	}
}

func TestWait_Modes(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 3})
	long := submit(b, nap, time.Minute)
	short := submit(b, nap, time.Millisecond)
	done, pending, err := pool.Wait(b.ctx, pool.FirstDone, long, short)
	if err != nil || len(done) != 1 || done[0] != short || len(pending) != 1 || pending[0] != long {
		t.Errorf("FirstDone: %v, %v, %v", done, pending, err)
	}
	if done, pending, err := pool.Wait(b.ctx, pool.FirstDone, short, long); err != nil || len(done) != 1 || len(pending) != 1 {
		t.Errorf("FirstDone with one that has ended: %v, %v, %v", done, pending, err)
	}
	bad := submit(b, fail, "no")
	done, pending, err = pool.Wait(b.ctx, pool.FirstError, long, short, bad)
	if err != nil || len(done) != 2 || len(pending) != 1 || pending[0] != long {
		t.Errorf("FirstError: %v, %v, %v", done, pending, err)
	}
	ctx, cancel := context.WithCancelCause(b.ctx)
	why := errors.New("enough")
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	done, pending, err = pool.Wait(ctx, pool.All, long, short)
	if err != why || len(done) != 1 || len(pending) != 1 {
		t.Errorf("All until the context ended: %v, %v, %v", done, pending, err)
	}
	long.Cancel()
	// Of several types, together.
	text := submit(b, environ, "HOME")
	all, pendingAny, err := pool.Wait[pool.AnyFuture](b.ctx, pool.All, long, short, text, text)
	if err != nil || len(all) != 4 || len(pendingAny) != 0 {
		t.Errorf("All: %v, %v, %v", all, pendingAny, err)
	}
	if done, pending, err := pool.Wait[*pool.Future[int]](b.ctx, pool.All); done != nil || pending != nil || err != nil {
		t.Errorf("none: %v, %v, %v", done, pending, err)
	}
}

func TestAsCompleted_YieldsInTheOrderOfTheirEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	slow, fast := submit(b, nap, 300*time.Millisecond), submit(b, nap, time.Millisecond)
	var got []*pool.Future[int]
	for f, err := range pool.AsCompleted(b.ctx, slow, fast, slow) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f)
	}
	if len(got) != 2 || got[0] != fast || got[1] != slow {
		t.Errorf("%v, want %v and %v", got, fast, slow)
	}
	for f, err := range pool.AsCompleted(b.ctx, slow, fast) { // all have ended
		if err != nil || f == nil {
			t.Error(f, err)
		}
		break // the rest is left alone
	}
	long := submit(b, nap, time.Minute)
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	n := 0
	for f, err := range pool.AsCompleted(ctx, fast, long) {
		switch n++; {
		case n == 1 && (f != fast || err != nil), n == 2 && (f != nil || !errors.Is(err, context.Canceled)), n > 2:
			t.Errorf("%d: %v, %v", n, f, err)
		}
		cancel()
	}
	if n != 2 {
		t.Errorf("%d were yielded", n)
	}
	long.Cancel()
}
