//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/feac4032/multiproc/task"
)

var errOutOfPaper = errors.New("out of paper")

func init() { task.DefineError("test/out-of-paper", errOutOfPaper) }

// end ends its process, or itself, in the way that it is told.
var end = task.Define("test/end", func(_ context.Context, how string) (string, error) {
	switch how {
	case "return":
	case "error":
		return "", fmt.Errorf("page 7: %w", errOutOfPaper)
	case "panic":
		var none []int
		_ = none[len(how)]
	case "goexit":
		runtime.Goexit()
	case "exit 0":
		os.Exit(0)
	case "exit 3":
		fmt.Fprintln(os.Stderr, "giving up\x1b[31m")
		os.Exit(3)
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "fatal":
		go func() { panic("in another goroutine") }()
		select {}
	}
	return how, nil
})

func TestProcess_EndsOfTasks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		how    string
		code   int
		signal syscall.Signal
		is     error  // in the error
		says   string // the error's text
		failed bool   // by the task's own doing
		panic  bool
	}{
		{how: "error", code: 1, is: errOutOfPaper, says: "task test/end: page 7: out of paper", failed: true},
		{how: "panic", code: 1, says: "index out of range [5]", failed: true, panic: true},
		{how: "goexit", code: 1, is: task.ErrGoexit, says: "Goexit", failed: true},
		{how: "exit 0", code: 0, is: ErrNoResult, says: "exited with code 0 without a result"},
		{how: "exit 3", code: 3, is: ErrNoResult, says: "exited with code 3 without a result: giving up[31m"},
		{how: "kill", code: -9, signal: syscall.SIGKILL, is: ErrNoResult, says: "was ended by SIGKILL"},
		{how: "fatal", code: 2, is: ErrNoResult, says: "exited with code 2 without a result: panic: in another goroutine"},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			p := New(end, c.how, WithStderr(nil))
			start(t, p.Process)
			e := exit(t, p.Process, c.code)
			if _, err := p.Result(within(t)); err != error(e) {
				t.Errorf("Result: %v, Join: %v", err, e)
			}
			if e.Signal != c.signal || c.is != nil && !errors.Is(e, c.is) || !strings.Contains(e.Error(), c.says) {
				t.Errorf("signal %d, %q, want %d, %v, %q", e.Signal, e, c.signal, c.is, c.says)
			}
			if e.Name != p.Name() || e.PID != p.PID() || e.Task != "test/end" {
				t.Errorf("names %q, %d, %q", e.Name, e.PID, e.Task)
			}
			var f *task.Failure
			if got := errors.As(e, &f); got != c.failed || c.failed && f.Panic != c.panic {
				t.Fatalf("failure %+v, want one: %v", f, c.failed)
			}
			if c.panic && (!strings.Contains(f.Stack, "exit_test.go") || f.Type != "runtime.boundsError") {
				t.Errorf("type %q, stack %q", f.Type, f.Stack)
			}
		})
	}
}

func TestProcess_EndsOfCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script string
		code   int
		signal syscall.Signal
		says   string
	}{
		{"exit 7", 7, 0, "exited with code 7"},
		{"echo broken >&2; exit 1", 1, 0, "exited with code 1: broken"},
		{"kill -TERM $$", -15, syscall.SIGTERM, "ended by SIGTERM"},
		{"kill -KILL $$", -9, syscall.SIGKILL, "ended by SIGKILL"},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			p := Command([]string{"sh", "-c", c.script}, WithStderr(nil))
			start(t, p)
			e := exit(t, p, c.code)
			if e.Signal != c.signal || !strings.HasSuffix(e.Error(), c.says) || e.Failure != nil {
				t.Errorf("signal %d, %q, want %d, %q", e.Signal, e, c.signal, c.says)
			}
		})
	}
	ok := Command([]string{"true"})
	start(t, ok)
	if err := ok.Join(within(t)); err != nil {
		t.Error(err)
	}
	if code, known := ok.ExitCode(); code != 0 || !known {
		t.Errorf("ExitCode = %d, %v, want 0", code, known)
	}
}

func TestExitError_LastWordsAreNoneOfAStack(t *testing.T) {
	t.Parallel()
	const stack = "main.main()\n\t/x/main.go:7 +0x1d\n\ngoroutine 2 [force gc (idle)]:\nruntime.gopark()\n\nrax    0x0\ngs     0x0\n"
	for stderr, want := range map[string]string{
		"SIGSEGV: segmentation violation\nPC=0x48b6e1\n\n" + stack: "SIGSEGV: segmentation violation",
		"log\nfatal error: concurrent map writes\n\n" + stack:      "fatal error: concurrent map writes",
		stack:                             "",
		"first\ngoroutine 7 has failed\n": "goroutine 7 has failed",
	} {
		e := &ExitError{Name: "p", PID: 1, Code: 2, Stderr: stderr}
		says := "p (pid 1) exited with code 2"
		if want != "" {
			says += ": " + want
		}
		if e.Error() != says {
			t.Errorf("got %q, want %q", e, says)
		}
	}
}

func TestExitError_KeepsTheEndOfStderr(t *testing.T) {
	t.Parallel()
	all := new(buffer)
	p := Command([]string{"sh", "-c", `i=0; while [ $i -lt 3000 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1`}, WithStderr(all))
	start(t, p)
	e := exit(t, p, 1)
	if len(e.Stderr) != tailSize || !strings.HasSuffix(e.Stderr, "\nline 2999\n") {
		t.Errorf("%d bytes kept, ending in %q", len(e.Stderr), e.Stderr[max(0, len(e.Stderr)-20):])
	}
	if s := all.String(); strings.Count(s, "\n") != 3000 || !strings.HasSuffix(s, e.Stderr) {
		t.Errorf("%d lines were passed on, want 3000", strings.Count(s, "\n"))
	}
}

func TestTail_KeepsTheEndWhateverThePieces(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789abcdef", 3*tailSize/16)
	for _, size := range []int{1, 7, tailSize - 1, tailSize, tailSize + 1, len(text)} {
		var k tail
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			k.add([]byte(rest[:n]))
			rest = rest[n:]
		}
		if got := k.String(); got != text[len(text)-tailSize:] {
			t.Errorf("in pieces of %d: %d bytes, ending in %.10q", size, len(got), got[max(0, len(got)-10):])
		}
	}
	var short tail
	short.add([]byte("ab"))
	short.add([]byte("c"))
	if short.String() != "abc" {
		t.Errorf("short tail %q", short.String())
	}
}

// The guardian is killed in a process of its own, which has one.
var orphanage = task.Define("test/orphanage", func(ctx context.Context, _ int) (string, error) {
	p := Command([]string{"sleep", "1000"})
	if err := p.Start(ctx); err != nil {
		return "", err
	}
	for _, pid := range childrenOf("self") {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	err := p.Join(ctx)
	code, ok := p.ExitCode()
	var e *ExitError
	if ok || !errors.As(err, &e) || !e.Lost {
		return "", fmt.Errorf("exit code %d, %v, outcome %v", code, ok, err)
	}
	again := New(square, 5)
	if err := again.Start(ctx); err != nil {
		return "", fmt.Errorf("with the next guardian: %w", err)
	}
	if n, err := again.Result(ctx); n != 25 || err != nil {
		return "", fmt.Errorf("with the next guardian: %d, %w", n, err)
	}
	return strings.ReplaceAll(err.Error(), p.Name(), "it"), nil
})

func TestProcess_WhoseGuardianDiesIsLost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there are guardians on Linux only")
	}
	t.Parallel()
	c := New(orphanage, 0)
	start(t, c.Process)
	s, err := c.Result(within(t))
	if err != nil || !strings.HasPrefix(s, "it (pid ") || !strings.HasSuffix(s, ") was lost with the guardian") {
		t.Errorf("Result = %q, %v", s, err)
	}
}
