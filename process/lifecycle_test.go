//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/lifetest"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

func TestProcess_Life(t *testing.T) {
	t.Parallel()
	lifetest.Run(t, lifetest.Kind{
		New: func(t *testing.T, how, name string) lifetest.Life {
			out := newLines(t)
			opts := []Option{WithStdout(out.w)}
			if name != "" {
				opts = append(opts, WithName(name))
			}
			return &upLife{New(behave, how, opts...).Process, out}
		},
		Prefix:        "Process-",
		ErrNotStarted: ErrNotStarted, ErrStarted: ErrStarted, ErrAlive: ErrAlive, ErrClosed: ErrClosed,
		ErrTerminated: worker.ErrTerminated, ErrInterrupted: worker.ErrCancelled,
		AsExit: func(err error) (int, bool) {
			var e *ExitError
			if !errors.As(err, &e) {
				return 0, false
			}
			return e.Code, true
		},
		Stack: func(err error) string {
			var f *task.Failure
			if !errors.As(err, &f) {
				return ""
			}
			return f.Stack
		},
	})
}

var behave = task.Define("test/behave", func(ctx context.Context, how string) (struct{}, error) {
	fmt.Println("up")
	return struct{}{}, lifetest.Behave(ctx, how)
})

// upLife is started when its task runs.
type upLife struct {
	*Process
	out *lines
}

func (l *upLife) Start(ctx context.Context) error {
	err := l.Process.Start(ctx)
	if err == nil {
		l.out.next()
	}
	return err
}

var square = task.Define("test/square", func(_ context.Context, n int) (int, error) { return n * n, nil })

// wait runs until its context ends, and returns why that did.
var wait = task.Define("test/wait", func(ctx context.Context, say string) (struct{}, error) {
	fmt.Println(say)
	<-ctx.Done()
	return struct{}{}, context.Cause(ctx)
})

func TestProcess_RunsATask(t *testing.T) {
	t.Parallel()
	c := New(square, 12)
	if c.Alive() || c.PID() != 0 {
		t.Errorf("before Start: alive %v, pid %d", c.Alive(), c.PID())
	}
	start(t, c.Process)
	if pid := c.PID(); pid <= 0 || pid == os.Getpid() {
		t.Errorf("pid %d", pid)
	}
	n, err := c.Result(within(t))
	if n != 144 || err != nil {
		t.Fatalf("Result = %d, %v, want 144", n, err)
	}
	if err := c.Join(within(t)); err != nil {
		t.Errorf("Join: %v", err)
	}
	if code, ok := c.ExitCode(); code != 0 || !ok {
		t.Errorf("ExitCode = %d, %v, want 0", code, ok)
	}
	if c.Alive() || c.PID() == 0 {
		t.Errorf("after the end: alive %v, pid %d", c.Alive(), c.PID())
	}
	for name, f := range map[string]func() error{"Terminate": c.Terminate, "Kill": c.Kill, "Interrupt": c.Interrupt} {
		if err := f(); err != nil {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
}

func TestProcess_BeforeStartIsErrNotStarted(t *testing.T) {
	t.Parallel()
	c := New(square, 1)
	_, result := c.Result(within(t))
	for name, err := range map[string]error{
		"Join": c.Join(within(t)), "Result": result,
		"Terminate": c.Terminate(), "Kill": c.Kill(), "Interrupt": c.Interrupt(),
	} {
		if !errors.Is(err, ErrNotStarted) || !strings.Contains(err.Error(), c.Name()) {
			t.Errorf("%s: %v, want ErrNotStarted with the name", name, err)
		}
	}
	if code, ok := c.ExitCode(); ok {
		t.Errorf("ExitCode = %d, %v", code, ok)
	}
}

func TestProcess_JoinEndsWithItsContext(t *testing.T) {
	t.Parallel()
	out := newLines(t)
	c := New(wait, "up", WithStdout(out.w))
	start(t, c.Process)
	out.next()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := c.Join(ctx); !errors.Is(err, ErrAlive) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Join: %v, want ErrAlive and DeadlineExceeded", err)
	}
	reason := errors.New("bored")
	because, stop := context.WithCancelCause(context.Background())
	stop(reason)
	if _, err := c.Result(because); !errors.Is(err, ErrAlive) || !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Errorf("Result: %v, want ErrAlive, Canceled and its cause", err)
	}
	if !c.Alive() {
		t.Error("the process has ended with somebody's patience")
	}
	if _, ok := c.ExitCode(); ok {
		t.Error("it has an exit code while it is alive")
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	// The outcome is there: a context that is over changes nothing.
	var e *ExitError
	if err := c.Join(ctx); !errors.As(err, &e) {
		t.Errorf("Join after the end: %v, want the outcome", err)
	}
}

func TestProcess_ManyJoinersGetTheSameOutcome(t *testing.T) {
	t.Parallel()
	p := Command([]string{"sh", "-c", "exit 3"})
	start(t, p)
	errs := make([]error, 20)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = p.Join(within(t)) })
	}
	all.Wait()
	for _, err := range append(errs, p.Join(within(t))) {
		if err == nil || err != errs[0] {
			t.Errorf("one joiner got %v, another %v", errs[0], err)
		}
	}
}

func TestProcess_AfterCloseIsErrClosed(t *testing.T) {
	t.Parallel()
	ran := New(square, 2)
	start(t, ran.Process)
	<-ran.Done()
	for name, c := range map[string]*Call[int]{"ended": ran, "never started": New(square, 2)} {
		for range 2 {
			if err := c.Close(); err != nil {
				t.Fatalf("%s: Close: %v", name, err)
			}
		}
		_, result := c.Result(within(t))
		for method, err := range map[string]error{
			"Start": c.Start(context.Background()), "Join": c.Join(within(t)), "Result": result,
			"Terminate": c.Terminate(), "Kill": c.Kill(), "Interrupt": c.Interrupt(),
		} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %s: %v, want ErrClosed", name, method, err)
			}
		}
		if _, ok := c.ExitCode(); ok || c.Alive() || c.PID() != 0 {
			t.Errorf("%s: closed, and still says something", name)
		}
		select {
		case <-c.Done():
		default:
			t.Errorf("%s: Done is open after Close", name)
		}
	}
}

var jobName = task.Define("test/name", func(ctx context.Context, _ int) (string, error) {
	j, _ := worker.Current(ctx)
	return j.Name, nil
})

func TestProcess_TaskKnowsItsName(t *testing.T) {
	t.Parallel()
	c := New(jobName, 0, WithName("naïve"))
	start(t, c.Process)
	if name, err := c.Result(within(t)); name != "naïve" || err != nil {
		t.Errorf("Result = %q, %v", name, err)
	}
}

type picky struct{ Value any }

var take = task.Define("test/take", func(context.Context, picky) (int, error) { return 0, nil })
var length = task.Define("test/length", func(_ context.Context, b []byte) (int, error) { return len(b), nil })

func TestProcess_FailedStartStartsNothing(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		p    *Process
		ctx  context.Context
		want error // nil = a *task.ValueError
	}{
		{"argument", New(take, picky{func() {}}).Process, nil, nil},
		{"huge argument", New(length, make([]byte, ipc.MaxMessage)).Process, nil, ipc.ErrTooLarge},
		{"no such command", Command([]string{"no-such-command-anywhere"}), nil, exec.ErrNotFound},
		{"no such file", Command([]string{dir + "/none"}), nil, fs.ErrNotExist},
		{"no such program", New(square, 1, WithProgram(dir+"/none")).Process, nil, fs.ErrNotExist},
		{"no such folder", New(square, 1, WithDir(dir+"/none")).Process, nil, fs.ErrNotExist},
		{"not executable", Command([]string{dir}), nil, fs.ErrPermission},
		{"lifetime over", New(square, 1).Process, over, context.Canceled},
		{"empty name", New(square, 1, WithName("")).Process, nil, ErrOption},
		{"kill before", New(square, 1, WithKillAfter(-1)).Process, nil, ErrOption},
		{"no time", New(square, 1, WithStartTimeout(0)).Process, nil, ErrOption},
		{"empty program", New(square, 1, WithProgram()).Process, nil, ErrOption},
		{"stdin of a task", New(square, 1, WithStdin(strings.NewReader(""))).Process, nil, ErrOption},
		{"program of a command", Command([]string{"true"}, WithProgram("true")), nil, ErrOption},
		{"start timeout of a command", Command([]string{"true"}, WithStartTimeout(1)), nil, ErrOption},
		{"closed stdout", Command([]string{"true"}, WithStdout(closedFile(t))), nil, os.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := c.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			for range 2 { // a failed Start does not count
				err := c.p.Start(ctx)
				var value *task.ValueError
				if c.want != nil && !errors.Is(err, c.want) || c.want == nil && !errors.As(err, &value) {
					t.Fatalf("Start: %v, want %v", err, c.want)
				}
				if !strings.Contains(err.Error(), c.p.Name()) {
					t.Errorf("%q does not name the process", err)
				}
			}
			if err := c.p.Join(within(t)); !errors.Is(err, ErrNotStarted) {
				t.Errorf("Join: %v, want ErrNotStarted", err)
			}
		})
	}
	if err := Command(nil).Start(context.Background()); err == nil {
		t.Error("an empty command was started")
	}
	if err := new(Process).Start(context.Background()); err == nil {
		t.Error("a zero Process was started")
	}
	var zero task.Task[int, int]
	if err := New(zero, 1).Start(context.Background()); err == nil {
		t.Error("a zero task was started")
	}
}

func closedFile(t *testing.T) *os.File {
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return f
}

// noMain is a child whose main goes on without worker.Init.
var noMain = register("no main", func() int {
	fmt.Fprintln(os.Stderr, New(square, 1).Start(context.Background()))
	return 7
})

func TestStart_InAChildThatIsNoWorkerIsErrNoMain(t *testing.T) {
	t.Parallel()
	c := New(square, 1, environ(helperEnv+"="+noMain), WithStderr(nil))
	start(t, c.Process)
	e := exit(t, c.Process, 7)
	if !strings.Contains(e.Stderr, ErrNoMain.Error()) {
		t.Errorf("the child's Start said %q, want ErrNoMain", e.Stderr)
	}
	if !errors.Is(e, ipc.ErrNoReady) {
		t.Errorf("%v, want ErrNoReady", e)
	}
}
