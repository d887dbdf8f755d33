package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// gate lets a test hold a task at a known point.
type gate struct{ entered, leave chan struct{} }

var (
	gates sync.Map // by name

	_ = task.Define("test.gate", func(ctx context.Context, name string) (string, error) {
		v, _ := gates.Load(name)
		g := v.(gate)
		close(g.entered)
		select {
		case <-g.leave:
			return "left", nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	})
	_ = task.Define("test.stubborn", func(ctx context.Context, name string) (string, error) {
		v, _ := gates.Load(name)
		close(v.(gate).entered)
		<-ctx.Done()
		return "a value all the same", nil
	})
	_ = task.Define("test.deaf", func(_ context.Context, name string) (struct{}, error) {
		v, _ := gates.Load(name)
		close(v.(gate).entered)
		<-v.(gate).leave
		return struct{}{}, nil
	})
	_ = task.Define("test.bytes", func(_ context.Context, n int) ([]byte, error) {
		return bytes.Repeat([]byte{7}, n), nil
	})
	_ = task.Define("test.echo", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	_ = task.Define("test.length", func(_ context.Context, b []byte) (int, error) { return len(b), nil })
	_ = task.Define("test.panic", func(context.Context, struct{}) (struct{}, error) { panic("oh") })
	_ = task.Define("test.goexit", func(context.Context, struct{}) (struct{}, error) {
		runtime.Goexit()
		return struct{}{}, nil
	})
	_ = task.Define("test.missing", func(context.Context, struct{}) (struct{}, error) {
		return struct{}{}, fmt.Errorf("open x: %w", fs.ErrNotExist)
	})
	_ = task.Define("test.job", func(ctx context.Context, _ struct{}) (string, error) {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		j, ok := Current(derived)
		return fmt.Sprintf("%d %s %s %s %d %v", j.ID, j.Name, j.Key, j.Task, j.Attempt, ok), nil
	})
	_ = task.Define("test.report", func(ctx context.Context, _ struct{}) (struct{}, error) {
		if err := Progress(ctx, 0.5); err != nil {
			return struct{}{}, err
		}
		log := Logger(ctx).Named("sub").With("a", 1)
		log.Warn("careful \xff", "b", errors.New("broken"), "c", make(chan int) == nil, "odd")
		log.Trace("never sent")
		return struct{}{}, Progress(ctx, make([]byte, ipc.MaxInline+1))
	})
	_ = task.Define("test.limit", func(ctx context.Context, _ struct{}) (struct{}, error) {
		if _, ok := ctx.Deadline(); !ok {
			return struct{}{}, errors.New("no deadline")
		}
		<-ctx.Done()
		return struct{}{}, context.Cause(ctx)
	})
	strays = make(chan context.Context, 1)
	_      = task.Define("test.stray", func(ctx context.Context, _ struct{}) (struct{}, error) {
		strays <- ctx
		return struct{}{}, nil
	})
)

// newGate makes the gate that a task finds under this name.
func newGate(name string) gate {
	g := gate{make(chan struct{}), make(chan struct{})}
	gates.Store(name, g)
	return g
}

func TestServe_AnswersInOrderAndStops(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(job1(1, "echo", "one"), job1(2, "echo", 2), job1(3, "echo", nil), ipc.AppendStop(nil))
	for id := uint64(1); id <= 3; id++ {
		l.result(id, ipc.StatusOK)
	}
	if code := l.exit(); code != exitOK {
		t.Errorf("exit code %d, want %d", code, exitOK)
	}
	if got := l.page.Started(0); got != 3 {
		t.Errorf("started %d, want 3", got)
	}
}

func TestServe_ReadyTellsWhatItCan(t *testing.T) {
	t.Parallel()
	l := setup(t)
	for _, c := range []ipc.Capability{ipc.CapCancel, ipc.CapPong, ipc.CapPage, ipc.CapCredit} {
		if !l.ready.Has(c) {
			t.Errorf("capability %q is not announced", c)
		}
	}
	if l.ready.Has(ipc.CapOffsets) {
		t.Error("offsets are announced without files to have them")
	}
	if l.ready.Window != window || l.ready.Threads != 1 || l.ready.Credit != ipc.DefaultCredit {
		t.Errorf("ready %+v", l.ready)
	}
	if diff := cmp.Diff(task.Names(), l.ready.Tasks); diff != "" {
		t.Error(diff)
	}
}

func TestServe_FailuresCarryStageAndCause(t *testing.T) {
	t.Parallel()
	l := setup(t)
	for i, c := range []struct {
		task  string
		arg   any
		stage task.Stage
		is    error
		panic bool
	}{
		{"test.missing", struct{}{}, task.StageFunction, fs.ErrNotExist, false},
		{"test.panic", struct{}{}, task.StageFunction, nil, true},
		{"test.goexit", struct{}{}, task.StageFunction, task.ErrGoexit, false},
		{"test.nowhere", 1, task.StageArgument, ErrUnknownTask, false},
		{"test.length", "text", task.StageArgument, nil, false},
	} {
		id := uint64(i + 1)
		l.send(job1(id, c.task, c.arg))
		f := l.failure(id, ipc.StatusFailed)
		if f.Stage != c.stage || f.Panic != c.panic || c.is != nil && !errors.Is(f, c.is) {
			t.Errorf("%s: %+v", c.task, f)
		}
	}
	l.send(job1(6, "echo", "still there"))
	l.result(6, ipc.StatusOK)
}

func TestServe_ChunkedPayloadsBothWays(t *testing.T) {
	t.Parallel()
	l := setup(t, func(h *ipc.Hello, _ *endpoint) { h.Credit = 2 * ipc.MaxInline; h.MessageMax = 4 << 20 })
	payload := encoded(make([]byte, 3<<20))
	go func() { // its results come back while it is being sent
		l.send(ipc.AppendJob(nil, 1, "echo", 1, 0, "", "", payload))
		for i, rest := 0, payload; len(rest) > 0; i++ {
			n := min(len(rest), ipc.MaxInline)
			l.send(ipc.AppendData(nil, 1, rest[:n]))
			rest = rest[n:]
		}
	}()
	granted := uint64(0)
	for granted == 0 {
		granted = l.frame().Bytes // credit comes before the result
	}
	if granted < grantAt {
		t.Errorf("%d bytes granted at once, want at least %d", granted, grantAt)
	}
	if got := l.result(1, ipc.StatusOK); !bytes.Equal(got, payload) {
		t.Errorf("%d bytes came back, want %d", len(got), len(payload))
	}
	l.send(job1(2, "test.bytes", 5<<20))
	f := l.failure(2, ipc.StatusFailed)
	if !errors.Is(f, ErrResultTooLarge) || f.Stage != task.StageResult || !strings.Contains(f.Msg, "4194304") {
		t.Errorf("a result over the cap: %+v", f)
	}
}

func TestServe_WaitsForCreditAndAnswersPings(t *testing.T) {
	t.Parallel()
	l := setup(t, func(h *ipc.Hello, _ *endpoint) { h.Credit = ipc.MaxInline })
	l.send(job1(1, "test.bytes", ipc.MaxInline-3), job1(2, "test.bytes", 1))
	l.result(1, ipc.StatusOK) // all credit is spent
	l.send(ipc.AppendPing(nil, 9))
	if m := l.expect(ipc.KindPong); m.ID != 9 {
		t.Errorf("pong %d, want 9", m.ID)
	}
	l.send(ipc.AppendCredit(nil, 100))
	l.result(2, ipc.StatusOK)
}

func TestServe_GrantsForInlineJobs(t *testing.T) {
	t.Parallel()
	l := setup(t)
	payload := make([]byte, ipc.MaxInline-3)
	sent, granted := 0, uint64(0)
	for id := uint64(1); granted == 0; id++ {
		l.send(job1(id, "test.length", payload))
		sent += len(payload) + 3
		for {
			m := l.frame()
			if m.Kind == ipc.KindCredit {
				granted = m.Bytes
				continue
			}
			break
		}
	}
	if granted < grantAt || granted > uint64(sent) {
		t.Errorf("%d bytes granted for %d", granted, sent)
	}
}

func TestServe_RecallsWhatHasNotStarted(t *testing.T) {
	t.Parallel()
	l, g := setup(t), newGate("recall")
	l.send(job1(1, "test.gate", "recall"))
	<-g.entered
	l.send(job1(2, "echo", "b"), job1(3, "echo", "c"), job1(4, "echo", "d"),
		ipc.AppendCancel(nil, 3, false), ipc.AppendCancel(nil, 1, false),
		ipc.AppendCancel(nil, 3, true), ipc.AppendCancel(nil, 99, true), ipc.AppendPing(nil, 7))
	l.result(3, ipc.StatusRecalled) // once, and at once
	l.expect(ipc.KindPong)
	close(g.leave)
	l.result(1, ipc.StatusOK) // had started, and was not disturbed
	l.result(2, ipc.StatusOK)
	l.result(4, ipc.StatusOK)
}

func TestServe_RecallsAJobThatIsHalfThere(t *testing.T) {
	t.Parallel()
	l := setup(t)
	chunk := make([]byte, ipc.MaxInline)
	l.send(ipc.AppendJob(nil, 1, "echo", 1, 0, "", "", make([]byte, 2*ipc.MaxInline)),
		ipc.AppendData(nil, 1, chunk), ipc.AppendCancel(nil, 1, false))
	l.result(1, ipc.StatusRecalled)
	l.send(ipc.AppendData(nil, 1, chunk), job1(2, "echo", "next"))
	l.result(2, ipc.StatusOK)
}

func TestServe_InterruptEndsTheContext(t *testing.T) {
	t.Parallel()
	l, g, s := setup(t), newGate("cancel"), newGate("stubborn")
	l.send(job1(1, "test.gate", "cancel"))
	<-g.entered
	l.send(ipc.AppendCancel(nil, 1, true))
	f := l.failure(1, ipc.StatusCancelled)
	if !errors.Is(f, ErrCancelled) {
		t.Errorf("failure %+v, want ErrCancelled", f)
	}
	l.send(job1(2, "test.stubborn", "stubborn"))
	<-s.entered
	l.send(ipc.AppendCancel(nil, 2, true))
	l.result(2, ipc.StatusOK) // what it has returned is not lost
}

func TestServe_TimeLimitEndsTheContext(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(ipc.AppendJob(nil, 1, "test.limit", 1, 5, "", "", encoded(struct{}{})))
	f := l.failure(1, ipc.StatusCancelled)
	if !errors.Is(f, ErrTimeout) || f.Msg != ErrTimeout.Error() {
		t.Errorf("failure %+v, want ErrTimeout", f)
	}
}

func TestServe_TellsTheJob(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(ipc.AppendJob(nil, 1, "test.job", 3, 0, "resize#12", "key", encoded(struct{}{})))
	want := encoded("1 resize#12 key test.job 3 true")
	if got := l.result(1, ipc.StatusOK); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, ok := Current(t.Context()); ok {
		t.Error("a job in a context that has none")
	}
}

func TestServe_CarriesProgressAndLog(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(job1(1, "test.report", struct{}{}))
	if m := l.expect(ipc.KindProgress); m.ID != 1 || !bytes.Equal(m.Body, encoded(0.5)) {
		t.Errorf("progress of job %d: %x", m.ID, m.Body)
	}
	m := l.expect(ipc.KindLog)
	var fields []any
	if err := task.Decode(m.Body, &fields); err != nil {
		t.Fatal(err)
	}
	want := []any{"a", int64(1), "b", "broken", "c", false, hclog.MissingKey, "odd"}
	if m.ID != 1 || m.Level != ipc.LevelWarn || string(m.Name) != "sub: careful \uFFFD" || !cmp.Equal(fields, want) {
		t.Errorf("log of job %d, level %d: %q %v, want %v", m.ID, m.Level, m.Name, fields, want)
	}
	if f := l.failure(1, ipc.StatusFailed); !strings.Contains(f.Msg, "too large") {
		t.Errorf("progress over the limit: %v", f)
	}
	if err := Progress(t.Context(), 1); err != ErrNoJob {
		t.Errorf("progress without a job: %v", err)
	}
	if Logger(t.Context()) != hclog.Default() {
		t.Error("a logger of a job that there is not")
	}
}

func TestServe_NothingOfAJobFollowsItsResult(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(job1(1, "test.stray", struct{}{}))
	ctx := <-strays
	l.result(1, ipc.StatusOK)
	if err := Progress(ctx, 1); err != ErrNoJob {
		t.Errorf("progress after the result: %v, want ErrNoJob", err)
	}
	if ctx.Err() != context.Canceled {
		t.Errorf("context after the result: %v", ctx.Err())
	}
	Logger(ctx).Info("late")
	if m := l.expect(ipc.KindLog); m.ID != 0 || string(m.Name) != "late" {
		t.Errorf("log %q of job %d, want the worker's own", m.Name, m.ID)
	}
}

func TestServe_ResultsDoNotWaitForALongJob(t *testing.T) {
	t.Parallel()
	for _, withPage := range []bool{true, false} {
		name := fmt.Sprint("hold-page-", withPage)
		g := newGate(name)
		l := setup(t, func(_ *ipc.Hello, e *endpoint) {
			if !withPage {
				e.page = nil
			}
		})
		l.send(job1(1, "echo", 1), job1(2, "test.gate", name))
		l.result(1, ipc.StatusOK) // while 2 runs, which ends only below
		close(g.leave)
		l.result(2, ipc.StatusOK)
	}
}

func TestServe_EndOfLinkCancels(t *testing.T) {
	t.Parallel()
	l, g := setup(t), newGate("eof")
	l.send(job1(1, "test.gate", "eof"), job1(2, "echo", "never started"))
	<-g.entered
	l.w.Close()
	if f := l.failure(1, ipc.StatusCancelled); !errors.Is(f, ErrSupervisorGone) {
		t.Errorf("failure %+v, want ErrSupervisorGone", f)
	}
	if code := l.exit(); code != exitOK || l.page.Started(0) != 1 {
		t.Errorf("exit code %d after job %d, want %d after 1", code, l.page.Started(0), exitOK)
	}
}

func TestServe_DoesNotWaitLongForADeafJob(t *testing.T) {
	t.Parallel()
	l, g := setup(t), newGate("ears")
	defer close(g.leave)
	l.send(job1(1, "test.deaf", "ears"))
	<-g.entered
	l.w.Close()
	if code := l.exit(); code != exitOK {
		t.Errorf("exit code %d, want %d", code, exitOK)
	}
}

func TestServe_BrokenLinkOutEnds(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.in.Close()
	l.send(job1(1, "echo", 1))
	if code := l.exit(); code != exitOK {
		t.Errorf("exit code %d, want %d; stderr %q", code, exitOK, l.stderr)
	}
}

func TestServe_TerminateCancelsAndHandsBack(t *testing.T) {
	t.Parallel()
	l, g := setup(t), newGate("term")
	l.send(job1(1, "test.gate", "term"), job1(2, "echo", 2), ipc.AppendPing(nil, 1))
	<-g.entered
	l.expect(ipc.KindPong) // job 2 has been received
	l.srv.terminate()
	got := map[uint64]ipc.Status{}
	for range 2 {
		m := l.expect(ipc.KindResult)
		got[m.ID] = m.Status
	}
	if want := map[uint64]ipc.Status{1: ipc.StatusCancelled, 2: ipc.StatusRecalled}; !cmp.Equal(got, want) {
		t.Errorf("answers %v, want %v", got, want)
	}
	if code := l.exit(); code != exitOK {
		t.Errorf("exit code %d, want %d", code, exitOK)
	}
}

func TestServe_BadFramesEndTheWorker(t *testing.T) {
	t.Parallel()
	newGate("deaf")
	for name, frames := range map[string][][]byte{
		"not msgpack":          {{0xc1}},
		"for a supervisor":     {ipc.AppendPong(nil, 1)},
		"job after stop":       {job1(1, "test.gate", "deaf"), ipc.AppendStop(nil), job1(2, "echo", 1)},
		"data out of place":    {ipc.AppendData(nil, 4, []byte("x"))},
		"stop inside a job":    {ipc.AppendJob(nil, 1, "echo", 1, 0, "", "", make([]byte, ipc.MaxInline+1)), ipc.AppendStop(nil)},
		"a job over the limit": {append(ipc.AppendJob(nil, 1, "echo", 1, 0, "", "", nil)[:8], 0)},
	} {
		l := setup(t)
		l.send(frames...)
		if code := l.exit(); code != exitProtocol || !strings.Contains(l.stderr.String(), "link to the supervisor") {
			t.Errorf("%s: exit code %d, stderr %q, want %d", name, code, l.stderr, exitProtocol)
		}
	}
}

func TestServe_RefusesASupervisorItCannotServe(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ipc.Hello){
		"version":      func(h *ipc.Hello) { h.Min, h.Max = 7, 9 },
		"small frames": func(h *ipc.Hello) { h.FrameMax = 1000 },
		"small credit": func(h *ipc.Hello) { h.Credit = 1000 },
	} {
		l := start(t, func(h *ipc.Hello, _ *endpoint) { change(h) })
		l.send(ipc.AppendHello(nil, &l.hello))
		if code := l.exit(); code != exitProtocol || l.stderr.Len() == 0 {
			t.Errorf("%s: exit code %d, stderr %q", name, code, l.stderr)
		}
	}
	l := start(t)
	l.w.Close()
	if code := l.exit(); code != exitOK {
		t.Errorf("no hello: exit code %d, want %d", code, exitOK)
	}
}

func TestServe_SupervisorThatReadsLateLosesNothing(t *testing.T) {
	t.Parallel()
	l := setup(t, unmetered)
	const jobs = 300 // of 4 KiB: more than pipe and ring hold
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for id := uint64(1); id <= jobs; id++ {
			l.send(job1(id, "test.bytes", 4096), ipc.AppendPing(nil, id))
		}
	}()
	<-sent // the worker has read it all: its reader waits for nobody
	pongs := 0
	for next := uint64(1); next <= jobs || pongs < jobs; {
		switch m := l.frame(); m.Kind {
		case ipc.KindPong:
			pongs++
		case ipc.KindResult:
			if m.ID != next {
				t.Fatalf("result of job %d, want %d", m.ID, next)
			}
			next++
		}
	}
}
