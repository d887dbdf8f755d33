package thread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/internal/lifetest"
	"github.com/feac4032/multiproc/task"
)

func TestThread_Life(t *testing.T) {
	t.Parallel()
	lifetest.Run(t, lifetest.Kind{
		New: func(_ *testing.T, how, name string) lifetest.Life {
			var opts []Option
			if name != "" {
				opts = append(opts, WithName(name))
			}
			return New(func(ctx context.Context) error { return lifetest.Behave(ctx, how) }, opts...)
		},
		Prefix:        "Thread-",
		ErrNotStarted: ErrNotStarted, ErrStarted: ErrStarted, ErrAlive: ErrAlive, ErrClosed: ErrClosed,
		ErrTerminated: ErrTerminated, ErrInterrupted: ErrInterrupted,
		AsExit: func(err error) (int, bool) {
			var e *ExitError
			ok := errors.As(err, &e)
			return 1, ok && e.Code == 1
		},
		Stack: func(err error) string {
			var p *task.PanicError
			if !errors.As(err, &p) {
				return ""
			}
			return p.Stack
		},
	})
}

type key struct{}

func TestThread_ContextIsDerivedFromTheLifetime(t *testing.T) {
	t.Parallel()
	reason := errors.New("closing time")
	var value any
	th := New(func(ctx context.Context) error {
		value = ctx.Value(key{})
		below, cancel := context.WithCancel(ctx) // hangs below it as below any context
		defer cancel()
		<-below.Done()
		return context.Cause(below)
	})
	ctx, stop := context.WithCancelCause(context.WithValue(context.Background(), key{}, 7))
	if err := th.Start(ctx); err != nil {
		t.Fatal(err)
	}
	stop(reason)
	if err := th.Join(within(t)); !errors.Is(err, reason) {
		t.Errorf("Join: %v, want the cause of the lifetime's end", err)
	}
	if value != 7 {
		t.Errorf("value %v, want that of the lifetime", value)
	}
}

func TestThread_ContextEndsWithTheThread(t *testing.T) {
	t.Parallel()
	var kept context.Context
	th := start(t, New(func(ctx context.Context) error {
		kept = ctx
		return ctx.Err()
	}))
	if err := th.Join(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := context.Cause(kept); err != errEnded {
		t.Errorf("cause %v, want that the thread has ended", err)
	}
}

type climber struct{ height int }

func (c *climber) Run(context.Context) error {
	c.height += 10
	return io.ErrUnexpectedEOF
}

func TestNewRunner_RunsTheObject(t *testing.T) {
	t.Parallel()
	c := &climber{height: 1}
	if err := start(t, NewRunner(c)).Join(within(t)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Join: %v, want what Run returned", err)
	}
	if c.height != 11 {
		t.Errorf("height %d, want 11", c.height)
	}
}

func TestThread_PanicOfARuntimeError(t *testing.T) {
	t.Parallel()
	var none []int
	th := start(t, New(func(context.Context) error { return fmt.Errorf("never %d", none[3]) }, WithName("reader")))
	err := th.Join(within(t))
	var bounds runtime.Error
	if !errors.As(err, &bounds) || !strings.HasPrefix(err.Error(), "reader: panic: runtime error: index out of range [3]") {
		t.Errorf("Join: %v, want the run-time error", err)
	}
	var p *task.PanicError
	if !errors.As(err, &p) || !strings.Contains(p.Stack, "thread_test.go:") || strings.Contains(p.Stack, "thread.(*Thread)") {
		t.Errorf("stack %+v, want this function and nothing below it", p)
	}
}

func TestStart_RefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	nop := func(context.Context) error { return nil }
	for name, th := range map[string]*Thread{
		"no function": New(nil),
		"no runner":   NewRunner(nil),
		"empty name":  New(nop, WithName("")),
		"long name":   New(nop, WithName(strings.Repeat("x", maxName+1))),
		"bad name":    New(nop, WithName("\xff")),
	} {
		if err := th.Start(within(t)); !errors.Is(err, ErrOption) {
			t.Errorf("%s: Start: %v, want ErrOption", name, err)
		}
		if err := th.Join(within(t)); !errors.Is(err, ErrNotStarted) {
			t.Errorf("%s: Join: %v, want ErrNotStarted", name, err)
		}
	}
	if err := new(Thread).Start(within(t)); !errors.Is(err, ErrNotStarted) {
		t.Errorf("a zero Thread: Start: %v, want ErrNotStarted", err)
	}
}

func TestKill_IsRefusedWhileTheThreadRuns(t *testing.T) {
	t.Parallel()
	th := start(t, New(func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}))
	if err := th.Kill(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Kill: %v, want ErrUnsupported", err)
	}
	if err := th.Terminate(); err != nil {
		t.Fatal(err)
	}
	// Kill has not cancelled anything.
	if err := th.Join(within(t)); !errors.Is(err, ErrTerminated) {
		t.Errorf("Join: %v, want ErrTerminated", err)
	}
}

func TestCurrent_IsTheThreadOfTheContext(t *testing.T) {
	t.Parallel()
	var outer, inner, after *Thread
	th := New(func(ctx context.Context) error {
		outer = Current(ctx)
		below := New(func(ctx context.Context) error {
			inner = Current(context.WithValue(ctx, key{}, 1))
			return nil
		})
		if err := below.Start(ctx); err != nil {
			return err
		}
		err := below.Join(ctx)
		after = Current(ctx)
		if inner != below {
			return fmt.Errorf("in the inner thread it is %v, want %v", inner, below)
		}
		return err
	})
	if err := start(t, th).Join(within(t)); err != nil {
		t.Fatal(err)
	}
	if outer != th || after != th {
		t.Errorf("current: %v, later %v, want %v", outer, after, th)
	}
	if Current(context.Background()) != nil {
		t.Error("a current thread outside of any")
	}
}

func TestRunning_ListsThreadsThatRun(t *testing.T) {
	t.Parallel()
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}
	a, b, idle := New(wait), New(wait, WithDaemon()), New(wait)
	start(t, a)
	start(t, b)
	all := Running()
	if i, j := slices.Index(all, a), slices.Index(all, b); i < 0 || j < i || slices.Contains(all, idle) {
		t.Errorf("a at %d, b at %d, one that was not started: %v", i, j, slices.Contains(all, idle))
	}
	if a.Daemon() || !b.Daemon() {
		t.Errorf("daemons: %v, %v, want b alone", a.Daemon(), b.Daemon())
	}
	if err := a.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-a.Done()
	if slices.Contains(Running(), a) {
		t.Error("one that has ended is listed")
	}
}

func BenchmarkThread_StartJoin(b *testing.B) {
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		t := New(func(context.Context) error { return nil })
		if err := t.Start(ctx); err != nil {
			b.Fatal(err)
		}
		if err := t.Join(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// What a thread costs has to be seen beside what a goroutine costs.
func BenchmarkGoroutine_StartJoin(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		done := make(chan error)
		go func() { done <- nil }()
		<-done
	}
}
