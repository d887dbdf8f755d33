//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// deaf does not look at its context.
var deaf = task.Define("test/deaf", func(context.Context, int) (int, error) {
	fmt.Println("up")
	select {}
})

// nest has a descendant in a session of its own, which ignores SIGTERM and holds
// stdout, and waits.
var nest = task.Define("test/nest", func(ctx context.Context, _ int) (int, error) {
	cmd := exec.Command("sh", "-c", stubborn)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout = os.Stdout
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	select {} // neither does this look at its context
})

// found has a process of its own, with a guardian of its own.
var found = task.Define("test/found", func(ctx context.Context, _ int) (int, error) {
	if err := Command([]string{"sh", "-c", stubborn}).Start(context.Background()); err != nil {
		return 0, err
	}
	select {}
})

const stubborn = `trap "" TERM INT; echo up; while :; do sleep 1000; done`

func TestLifetime_EndsTheTree(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a descendant that leaves the group is reached on Linux only")
	}
	t.Parallel()
	for name, make := range map[string]func(...Option) *Process{
		"command": func(o ...Option) *Process {
			return Command([]string{"sh", "-c", `trap "" TERM; setsid sh -c '` + stubborn + `' & wait; wait`}, o...)
		},
		"task":              task1(nest, 0),
		"process of a task": task1(found, 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := newLines(t)
			p := make(WithStdout(out.w), WithKillAfter(50*time.Millisecond))
			reason := errors.New("the show is over")
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			if err := p.Start(ctx); err != nil {
				t.Fatal(err)
			}
			out.next()
			cancel(reason)
			e := exit(t, p, -9)
			if !errors.Is(e, context.Canceled) || !errors.Is(e, reason) || errors.Is(e, ErrAlive) {
				t.Errorf("%v, want Canceled with its cause", e)
			}
			out.ended()
		})
	}
}

// gate is a writer that blocks until it is opened.
type gate chan struct{}

func (g gate) Write(p []byte) (int, error) {
	<-g
	return len(p), nil
}

func TestLifetime_IsNotBlamedForAnEndBefore(t *testing.T) {
	t.Parallel()
	out := make(gate)
	p := Command([]string{"sh", "-c", "echo something; exit 3"}, WithStdout(out))
	start(t, p)
	p.mu.Lock()
	r := p.run
	p.mu.Unlock()
	<-r.proc.Exited()
	if !p.Alive() {
		t.Error("it is not alive, though its output is not copied yet")
	}
	r.expire(context.Canceled)
	close(out)
	if e := exit(t, p, 3); e.Err != nil {
		t.Errorf("%v, want the exit code alone", e)
	}
}

func TestLifetime_AsksBeforeItKills(t *testing.T) {
	t.Parallel()
	out := newLines(t)
	c := New(wait, "up", WithStdout(out.w))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	out.next()
	cancel()
	e := exit(t, c.Process, 1) // the task has returned
	if !errors.Is(e, worker.ErrTerminated) || !errors.Is(e, context.Canceled) || e.Failure == nil {
		t.Errorf("%v, want the task's ErrTerminated", e)
	}
}

// heed succeeds when it is asked to end.
var heed = task.Define("test/heed", func(ctx context.Context, _ int) (string, error) {
	fmt.Println("up")
	<-ctx.Done()
	return context.Cause(ctx).Error(), nil
})

func TestLifetime_ResultThatComesInTimeCounts(t *testing.T) {
	t.Parallel()
	out := newLines(t)
	c := New(heed, 0, WithStdout(out.w))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	out.next()
	cancel()
	if s, err := c.Result(within(t)); s != worker.ErrTerminated.Error() || err != nil {
		t.Errorf("Result = %q, %v", s, err)
	}
	if err := c.Join(within(t)); err != nil {
		t.Errorf("Join: %v", err)
	}
}

func TestProcess_Signals(t *testing.T) {
	t.Parallel()
	terminate, kill, interrupt := (*Process).Terminate, (*Process).Kill, (*Process).Interrupt
	for _, c := range []struct {
		name string
		make func(...Option) *Process
		send func(*Process) error
		code int
		is   error
	}{
		{"terminate a task", task1(wait, "up"), terminate, 1, worker.ErrTerminated},
		{"interrupt a task", task1(wait, "up"), interrupt, 1, worker.ErrCancelled},
		{"interrupt a task that cannot be cancelled", rusticTask, interrupt, -2, ErrNoResult},
		{"kill a task", task1(deaf, 0), kill, -9, ErrNoResult},
		{"terminate a command", command("echo up; sleep 1000"), terminate, -15, nil},
		{"interrupt a command", command("trap 'exit 5' INT; echo up; sleep 1000 & wait"), interrupt, 5, nil},
		{"kill a command", command(stubborn), kill, -9, nil},
		{"terminate a stopped command", command("echo up; kill -STOP $$"), terminate, -15, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := newLines(t)
			p := c.make(WithStdout(out.w))
			start(t, p)
			out.next()
			if err := c.send(p); err != nil {
				t.Fatal(err)
			}
			if e := exit(t, p, c.code); c.is != nil && !errors.Is(e, c.is) {
				t.Errorf("%v, want %v", e, c.is)
			}
			out.ended()
		})
	}
}

func task1[In, Out any](d task.Task[In, Out], in In) func(...Option) *Process {
	return func(o ...Option) *Process { return New(d, in, o...).Process }
}

func rusticTask(o ...Option) *Process {
	return New(length, nil, append(o, environ(helperEnv+"="+rustic))...).Process
}

func command(script string) func(...Option) *Process {
	return func(o ...Option) *Process { return Command([]string{"sh", "-c", script}, o...) }
}

func TestInterrupt_BeforeTheTaskStartsIsKept(t *testing.T) {
	t.Parallel()
	c := New(wait, "up", WithStdout(nil))
	start(t, c.Process)
	for range 2 {
		if err := c.Interrupt(); err != nil {
			t.Fatal(err)
		}
	}
	// It was given back, or interrupted at once: which one is a race.
	_, err := c.Result(within(t))
	if !errors.Is(err, ErrNoResult) && !errors.Is(err, worker.ErrCancelled) {
		t.Errorf("Result: %v, want ErrNoResult or ErrCancelled", err)
	}
}
