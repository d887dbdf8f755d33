//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/thread"
	"github.com/feac4032/multiproc/worker"
)

// playEnv says which of the plays a program consists of.
const playEnv = "PROCESS_TEST_PLAY"

// program is a program of which Main is all.
var program = register("program", func() int {
	os.Unsetenv(helperEnv) // its children are workers
	play := plays[os.Getenv(playEnv)]
	Main(play)
	return 99
})

// obedient says why its context has ended.
var obedient = task.Define("test/obedient", func(ctx context.Context, _ int) (int, error) {
	if err := worker.Progress(ctx, "up"); err != nil {
		return 0, err
	}
	<-ctx.Done()
	fmt.Println("asked to end:", context.Cause(ctx))
	return 0, nil
})

// startObedient returns when the task runs.
func startObedient(ctx context.Context, opts ...Option) error {
	up := make(chan string)
	c := New(obedient, 0, append(opts, WithProgress(func(s string) { up <- s }))...)
	if err := c.Start(ctx); err != nil {
		return err
	}
	fmt.Println(<-up)
	return nil
}

// reader runs until something comes on the program's stdin, as a process.
func reader(then string) *Process {
	return Command([]string{"sh", "-c", "echo up; read x; " + then}, WithStdin(os.Stdin), WithName("reader"))
}

// plays are main functions. What they start runs when they go on.
var plays = map[string]func(context.Context) error{
	"nil":          func(context.Context) error { return nil },
	"error":        func(context.Context) error { return fmt.Errorf("printer 2: %w", errOutOfPaper) },
	"exit":         func(context.Context) error { return Exit(7) },
	"exit of zero": func(context.Context) error { return Exit(0) },
	"wrapped exit": func(context.Context) error { return fmt.Errorf("no toner: %w", Exit(8)) },
	"panic":        func(context.Context) error { panic("paper jam") },
	"who": func(ctx context.Context) error {
		me := Current()
		if me != (Info{Name: "MainProcess", PID: os.Getpid()}) || Parent() != nil {
			return fmt.Errorf("it is %+v, with the parent %+v", me, Parent())
		}
		if o := owner.From(ctx); o == nil || o.Identity() != (owner.Identity{Name: "main", PID: os.Getpid()}) {
			return fmt.Errorf("its owner is %v", o)
		}
		return nil
	},
	"child": func(ctx context.Context) error {
		defer fmt.Println("returned")
		return reader("echo child has ended").Start(ctx)
	},
	"child of no lifetime": func(context.Context) error {
		defer fmt.Println("returned")
		return reader("echo child has ended").Start(context.Background())
	},
	"failing child": func(ctx context.Context) error {
		// That the daemon is asked to end tells that the other one was met alive.
		if err := startObedient(ctx, WithDaemon()); err != nil {
			return err
		}
		return reader("exit 5").Start(ctx)
	},
	"thread": func(ctx context.Context) error {
		defer fmt.Println("returned")
		return thread.New(func(ctx context.Context) error {
			fmt.Println("up")
			if _, err := fmt.Scanln(new(string)); err != nil {
				return err
			}
			fmt.Println("thread has ended:", ctx.Err())
			p := reader("echo its child has ended")
			return p.Start(context.Background()) // the lifetime of a thread ends with it
		}).Start(ctx)
	},
	"failing thread": func(ctx context.Context) error {
		defer fmt.Println("returned")
		return thread.New(func(context.Context) error {
			fmt.Println("up")
			for !strings.Contains(stackOfMain(), "process.settle(") {
				runtime.Gosched() // nobody is told that Main has met this thread
			}
			return errOutOfPaper
		}).Start(ctx)
	},
	"daemons": func(ctx context.Context) error {
		forever := thread.New(func(context.Context) error { select {} }, thread.WithDaemon())
		if err := forever.Start(ctx); err != nil {
			return err
		}
		return startObedient(ctx, WithDaemon())
	},
	"stubborn daemon": func(ctx context.Context) error {
		return Command([]string{"sh", "-c", stubborn}, WithDaemon(), WithKillAfter(0)).Start(ctx)
	},
	"interrupted": func(ctx context.Context) error {
		if err := startObedient(context.Background()); err != nil {
			return err
		}
		<-ctx.Done()
		var s *SignalError
		if !errors.As(context.Cause(ctx), &s) {
			return context.Cause(ctx)
		}
		fmt.Println("got", s.Signal)
		return ctx.Err()
	},
	"graceful": func(ctx context.Context) error {
		fmt.Println("up")
		<-ctx.Done()
		fmt.Println(context.Cause(ctx))
		return nil
	},
	"deaf": func(ctx context.Context) error {
		fmt.Println("up")
		<-ctx.Done()
		fmt.Println("ignored it")
		select {}
	},
}

// stackOfMain is the stack of the main goroutine if that waits for something, "" if
// it runs.
func stackOfMain() string {
	buf := make([]byte, 1<<20)
	for s := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.HasPrefix(s, "goroutine 1 [select") || strings.HasPrefix(s, "goroutine 1 [chan receive") {
			return s
		}
	}
	return ""
}

// stage runs a play, maybe by another command.
func stage(t *testing.T, play string, under ...string) (p *Process, out *lines, in *io.PipeWriter, stderr *buffer) {
	t.Helper()
	if plays[play] == nil {
		t.Fatalf("no play %q", play)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, stderr = newLines(t), new(buffer)
	r, in := io.Pipe()
	t.Cleanup(func() { r.Close() })
	p = Command(append(under, exe), environ(helperEnv+"="+program, playEnv+"="+play), WithStdin(r), WithStdout(out.w), WithStderr(stderr))
	start(t, p)
	return p, out, in, stderr
}

// concluded checks the end of a play: nobody is left, and what is said on stderr.
func concluded(t *testing.T, p *Process, out *lines, stderr *buffer, code int, says string) {
	t.Helper()
	p.Join(within(t))
	if got, ok := p.ExitCode(); got != code || !ok {
		t.Errorf("exit code %d, %v, want %d", got, ok, code)
	}
	if s := stderr.String(); says == "" && s != "" || !strings.Contains(s, says) {
		t.Errorf("stderr %q, want %q", s, says)
	}
	out.ended()
}

func TestMain_ExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		play string
		code int
		says string
	}{
		{"nil", 0, ""},
		{"error", 1, "process.test: printer 2: out of paper\n"},
		{"exit", 7, ""},
		{"exit of zero", 0, ""},
		{"wrapped exit", 8, "process.test: no toner: exit code 8\n"},
		{"panic", 2, "panic: paper jam"},
		{"who", 0, ""},
	} {
		t.Run(c.play, func(t *testing.T) {
			t.Parallel()
			p, out, _, stderr := stage(t, c.play)
			concluded(t, p, out, stderr, c.code, c.says)
		})
	}
}

func TestMain_JoinsWhatIsNoDaemon(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		play string
		says string
		rest []string // what is printed after stdin has had its line
	}{
		{"child", "", []string{"child has ended"}},
		{"child of no lifetime", "", []string{"child has ended"}},
		{"thread", "", []string{"thread has ended: <nil>", "up", "", "its child has ended"}},
		{"failing thread", "out of paper\n", nil},
	} {
		t.Run(c.play, func(t *testing.T) {
			t.Parallel()
			p, out, in, stderr := stage(t, c.play)
			// In whichever order.
			if a, b := out.next(), out.next(); a+b != "upreturned" && a+b != "returnedup" {
				t.Fatalf("it says %q, %q", a, b)
			}
			io.WriteString(in, "now\n")
			for _, want := range c.rest {
				if want == "" {
					io.WriteString(in, "again\n")
				} else if got := out.next(); got != want {
					t.Errorf("it says %q, want %q", got, want)
				}
			}
			concluded(t, p, out, stderr, 0, c.says)
		})
	}
}

func TestMain_ReportsWhatFailsWhileItWaits(t *testing.T) {
	t.Parallel()
	p, out, in, stderr := stage(t, "failing child")
	got := []string{out.next(), out.next(), out.next()}
	slices.Sort(got) // the command may take its time
	if want := []string{"asked to end: " + worker.ErrTerminated.Error(), "up", "up"}; !slices.Equal(got, want) {
		t.Fatalf("it says %q, want %q", got, want)
	}
	io.WriteString(in, "now\n")
	concluded(t, p, out, stderr, 0, ") exited with code 5\n")
}

func TestMain_TerminatesDaemons(t *testing.T) {
	t.Parallel()
	p, out, _, stderr := stage(t, "daemons")
	for _, want := range []string{"up", "asked to end: " + worker.ErrTerminated.Error()} {
		if got := out.next(); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
	concluded(t, p, out, stderr, 0, "")
	p, out, _, stderr = stage(t, "stubborn daemon")
	concluded(t, p, out, stderr, 0, "")
}

func TestMain_Signals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		play    string
		signals []syscall.Signal
		code    int
		says    [][]string // before each signal, and after the last
	}{
		{"ends the context", "interrupted", []syscall.Signal{syscall.SIGTERM}, 128 + 15,
			[][]string{{"up"}, {"got terminated", "asked to end: worker terminated"}}},
		{"of the terminal", "interrupted", []syscall.Signal{syscall.SIGINT}, 128 + 2,
			[][]string{{"up"}, {"got interrupt", "asked to end: worker terminated"}}},
		{"that is heeded is no failure", "graceful", []syscall.Signal{syscall.SIGHUP}, 0, [][]string{{"up"}, {"got signal hangup"}}},
		{"twice ends the program", "deaf", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}, 128 + 15,
			[][]string{{"up"}, {"ignored it"}, nil}},
		{"while it waits for a child", "failing child", []syscall.Signal{syscall.SIGINT}, 128 + 2,
			[][]string{{"*", "*", "*"}, nil}}, // one of which says that f has returned
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, out, _, stderr := stage(t, c.play)
			for i, says := range c.says {
				for _, want := range says {
					if got := out.next(); got != want && want != "*" {
						t.Fatalf("it says %q, want %q", got, want)
					}
				}
				if i < len(c.signals) {
					syscall.Kill(p.PID(), c.signals[i]) // it alone, as nobody else is in its session
				}
			}
			concluded(t, p, out, stderr, c.code, "")
		})
	}
}

func TestMain_SignalsThatWereIgnoredFromTheStart(t *testing.T) {
	t.Parallel()
	p, out, _, stderr := stage(t, "graceful", "sh", "-c", `trap "" HUP INT; exec "$0"`)
	if got := out.next(); got != "up" {
		t.Fatalf("it says %q", got)
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		syscall.Kill(p.PID(), s)
	}
	if got := out.next(); got != "got signal terminated" {
		t.Errorf("it says %q, want that the last one has ended its context", got)
	}
	concluded(t, p, out, stderr, 0, "")
}
