// Package lifetest is the one life of threads and processes as a table of tests,
// which both have to pass.
package lifetest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/feac4032/multiproc/task"
)

// Life is what threads and processes have in common.
type Life interface {
	Start(ctx context.Context) error
	Join(ctx context.Context) error
	Done() <-chan struct{}
	Alive() bool
	ExitCode() (code int, ok bool)
	Name() string
	Terminate() error
	Interrupt() error
	Kill() error
	Close() error
}

// Kind says how to make lives of one kind.
type Kind struct {
	// New makes one that will run Behave(ctx, how), with a name if that is not "".
	// Its Start returns when Behave has its context: what is sent to it after that
	// arrives.
	New func(t *testing.T, how, name string) Life

	// Prefix stands before the numbers in the names of those that got none.
	Prefix string

	ErrNotStarted, ErrStarted, ErrAlive, ErrClosed error

	// ErrTerminated and ErrInterrupted are the causes with which the context of
	// Behave ends.
	ErrTerminated, ErrInterrupted error

	// AsExit finds the kind's *ExitError in an error.
	AsExit func(error) (code int, ok bool)

	// Stack is the stack of a panic in an error, "" if there is none.
	Stack func(error) string
}

// errBehaved is what Behave returns as told. It has a code.
var errBehaved = errors.New("as told")

func init() { task.DefineError("lifetest.errBehaved", errBehaved) }

// Behave is what lives do: it returns nil, or an error, panics, calls Goexit, or
// waits for the end of its context and returns the cause of that, or nil.
func Behave(ctx context.Context, how string) error {
	switch how {
	case "error":
		return errBehaved
	case "panic":
		panic("in a " + how)
	case "goexit":
		runtime.Goexit()
	case "wait":
		<-ctx.Done()
		return context.Cause(ctx)
	case "heed":
		<-ctx.Done()
	}
	return nil
}

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// start starts l for as long as the test lasts.
func start(t *testing.T, l Life) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if err := l.Start(ctx); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-l.Done()
	})
}

// Run runs the table.
func Run(t *testing.T, k Kind) {
	for name, test := range map[string]func(*testing.T, Kind){
		"JoinReturnsTheOutcome":         testOutcomes,
		"BeforeStartIsErrNotStarted":    testBeforeStart,
		"StartsOnce":                    testStartsOnce,
		"FailedStartStartsNothing":      testFailedStart,
		"JoinEndsWithItsContext":        testJoinEndsWithItsContext,
		"ManyJoinersGetTheSameOutcome":  testManyJoiners,
		"IsAliveFromStartToDone":        testAlive,
		"EndOfTheLifetimeReachesIt":     testLifetime,
		"TerminateAndInterruptReachIt":  testSignals,
		"SignalsAfterTheEndDoNothing":   testSignalsAfterTheEnd,
		"CloseWhileAliveIsErrAlive":     testCloseWhileAlive,
		"AfterCloseIsErrClosed":         testAfterClose,
		"NamesAreNumberedUnlessGiven":   testNames,
		"ErrorsNameIt":                  testErrorsNameIt,
		"WhatIsHeededInTimeIsNoFailure": testHeeded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

func testOutcomes(t *testing.T, k Kind) {
	for _, c := range []struct {
		how   string
		code  int
		is    error
		stack bool
	}{
		{how: "return"},
		{how: "error", code: 1, is: errBehaved},
		{how: "panic", code: 1, stack: true},
		{how: "goexit", code: 1, is: task.ErrGoexit},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			l := k.New(t, c.how, "")
			start(t, l)
			err := l.Join(within(t))
			if code, ok := l.ExitCode(); code != c.code || !ok {
				t.Errorf("ExitCode = %d, %v, want %d", code, ok, c.code)
			}
			if c.code == 0 {
				if err != nil {
					t.Errorf("Join: %v, want nil", err)
				}
				return
			}
			if code, ok := k.AsExit(err); !ok || code != c.code {
				t.Fatalf("Join: %v (%T), want an *ExitError of code %d", err, err, c.code)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("Join: %v, want %v", err, c.is)
			}
			stack := k.Stack(err)
			if got := strings.HasPrefix(stack, "github.com/feac4032/multiproc/internal/lifetest.Behave\n"); got != c.stack {
				t.Errorf("stack %q, want one: %v", stack, c.stack)
			}
			if again := l.Join(within(t)); again != err {
				t.Errorf("the second Join: %v, the first: %v", again, err)
			}
		})
	}
}

func testBeforeStart(t *testing.T, k Kind) {
	l := k.New(t, "return", "")
	for method, err := range map[string]error{
		"Join": l.Join(within(t)), "Terminate": l.Terminate(), "Interrupt": l.Interrupt(), "Kill": l.Kill(),
	} {
		if !errors.Is(err, k.ErrNotStarted) {
			t.Errorf("%s: %v, want ErrNotStarted", method, err)
		}
	}
	if code, ok := l.ExitCode(); ok || l.Alive() {
		t.Errorf("exit code %d, %v, alive %v", code, ok, l.Alive())
	}
	select {
	case <-l.Done():
		t.Error("Done is closed")
	default:
	}
}

func testStartsOnce(t *testing.T, k Kind) {
	l := k.New(t, "wait", "")
	lifetime, cancel := context.WithCancel(context.Background())
	var started, refused atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch err := l.Start(lifetime); {
			case err == nil:
				started.Add(1)
			case errors.Is(err, k.ErrStarted):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	cancel()
	if started.Load() != 1 || refused.Load() != 7 {
		t.Errorf("%d started, %d refused, want 1 and 7", started.Load(), refused.Load())
	}
	<-l.Done()
	if err := l.Start(context.Background()); !errors.Is(err, k.ErrStarted) {
		t.Errorf("Start after the end: %v, want ErrStarted", err)
	}
}

func testFailedStart(t *testing.T, k Kind) {
	l := k.New(t, "return", "")
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for range 2 {
		if err := l.Start(over); !errors.Is(err, context.Canceled) {
			t.Errorf("Start: %v, want Canceled", err)
		}
	}
	if err := l.Join(within(t)); !errors.Is(err, k.ErrNotStarted) {
		t.Errorf("Join: %v, want ErrNotStarted", err)
	}
	start(t, l)
	if err := l.Join(within(t)); err != nil {
		t.Errorf("Join of what was started in the end: %v", err)
	}
}

func testJoinEndsWithItsContext(t *testing.T, k Kind) {
	l := k.New(t, "wait", "")
	start(t, l)
	reason := errors.New("bored")
	ctx, stop := context.WithCancelCause(context.Background())
	joined := make(chan error, 1)
	go func() { joined <- l.Join(ctx) }()
	stop(reason)
	for _, err := range []error{<-joined, l.Join(ctx)} {
		if !errors.Is(err, k.ErrAlive) || !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
			t.Errorf("Join: %v, want ErrAlive, Canceled and the cause", err)
		}
	}
	if !l.Alive() {
		t.Error("it has ended with somebody's patience")
	}
	if err := l.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-l.Done()
	if _, ok := k.AsExit(l.Join(ctx)); !ok {
		t.Errorf("Join after the end: %v, want the outcome whatever the context", l.Join(ctx))
	}
}

func testManyJoiners(t *testing.T, k Kind) {
	l := k.New(t, "error", "")
	joins := make(chan error, 20)
	start(t, l)
	for range cap(joins) {
		go func() { joins <- l.Join(within(t)) }()
	}
	first := <-joins
	if !errors.Is(first, errBehaved) {
		t.Errorf("Join: %v", first)
	}
	for range cap(joins) - 1 {
		if err := <-joins; err != first {
			t.Errorf("one joiner got %v, another %v", first, err)
		}
	}
}

func testAlive(t *testing.T, k Kind) {
	l := k.New(t, "heed", "")
	start(t, l)
	if _, ok := l.ExitCode(); ok || !l.Alive() {
		t.Errorf("after Start: alive %v, exit code %v", l.Alive(), ok)
	}
	if err := l.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-l.Done()
	if l.Alive() {
		t.Error("alive, though Done is closed")
	}
}

func testLifetime(t *testing.T, k Kind) {
	l := k.New(t, "wait", "")
	lifetime, end := context.WithCancel(context.Background())
	if err := l.Start(lifetime); err != nil {
		t.Fatal(err)
	}
	end()
	if err := l.Join(within(t)); !errors.Is(err, context.Canceled) || errors.Is(err, k.ErrAlive) {
		t.Errorf("Join: %v, want Canceled as the outcome", err)
	}
}

func testSignals(t *testing.T, k Kind) {
	for name, c := range map[string]struct {
		send  func(Life) error
		cause error
	}{
		"terminate": {Life.Terminate, k.ErrTerminated},
		"interrupt": {Life.Interrupt, k.ErrInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := k.New(t, "wait", "")
			start(t, l)
			for range 2 {
				if err := c.send(l); err != nil {
					t.Fatal(err)
				}
			}
			err := l.Join(within(t))
			if _, ok := k.AsExit(err); !ok {
				t.Fatalf("Join: %v, want an *ExitError", err)
			}
			if !errors.Is(err, c.cause) || !errors.Is(err, context.Canceled) {
				t.Errorf("Join: %v, want %v", err, c.cause)
			}
		})
	}
}

func testSignalsAfterTheEnd(t *testing.T, k Kind) {
	l := k.New(t, "return", "")
	start(t, l)
	<-l.Done()
	for method, err := range map[string]error{"Terminate": l.Terminate(), "Interrupt": l.Interrupt(), "Kill": l.Kill()} {
		if err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	if err := l.Join(within(t)); err != nil {
		t.Errorf("Join: %v", err)
	}
}

func testCloseWhileAlive(t *testing.T, k Kind) {
	l := k.New(t, "wait", "")
	start(t, l)
	if err := l.Close(); !errors.Is(err, k.ErrAlive) {
		t.Errorf("Close: %v, want ErrAlive", err)
	}
	if !l.Alive() {
		t.Error("Close has ended it")
	}
}

func testAfterClose(t *testing.T, k Kind) {
	ran, idle := k.New(t, "error", ""), k.New(t, "return", "")
	start(t, ran)
	<-ran.Done()
	for name, l := range map[string]Life{"ended": ran, "never started": idle} {
		for range 2 {
			if err := l.Close(); err != nil {
				t.Fatalf("%s: Close: %v", name, err)
			}
		}
		for method, err := range map[string]error{
			"Start": l.Start(context.Background()), "Join": l.Join(within(t)),
			"Terminate": l.Terminate(), "Interrupt": l.Interrupt(), "Kill": l.Kill(),
		} {
			if !errors.Is(err, k.ErrClosed) {
				t.Errorf("%s: %s: %v, want ErrClosed", name, method, err)
			}
		}
		if _, ok := l.ExitCode(); ok || l.Alive() {
			t.Errorf("%s: closed, and still says something", name)
		}
		select {
		case <-l.Done():
		default:
			t.Errorf("%s: Done is open after Close", name)
		}
	}
}

func testNames(t *testing.T, k Kind) {
	a, b := k.New(t, "return", ""), k.New(t, "return", "")
	for _, l := range []Life{a, b} {
		number, ok := strings.CutPrefix(l.Name(), k.Prefix)
		if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
			t.Errorf("name %q, want %sn", l.Name(), k.Prefix)
		}
	}
	if a.Name() == b.Name() {
		t.Errorf("two of them are %s", a.Name())
	}
	if l := k.New(t, "return", "naïve"); l.Name() != "naïve" {
		t.Errorf("name %q, want naïve", l.Name())
	}
}

func testErrorsNameIt(t *testing.T, k Kind) {
	l := k.New(t, "error", "worm")
	errs := map[string]error{"Join before": l.Join(within(t)), "Kill before": l.Kill()}
	start(t, l)
	errs["Join"] = l.Join(within(t))
	errs["Start"] = l.Start(context.Background())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	errs["Join after"] = l.Join(within(t))
	for when, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "worm") {
			t.Errorf("%s: %v, want the name in it", when, err)
		}
	}
}

func testHeeded(t *testing.T, k Kind) {
	l := k.New(t, "heed", "")
	start(t, l)
	if err := l.Interrupt(); err != nil {
		t.Fatal(err)
	}
	if err := l.Join(within(t)); err != nil {
		t.Errorf("Join: %v, want nil", err)
	}
}
