//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/task"
)

var speak = task.Define("test/speak", func(_ context.Context, text string) (int, error) {
	fmt.Fprint(os.Stderr, "err:", text)
	return fmt.Print("out:", text)
})

// Its own processes, a task and a command, inherit its output.
var announce = task.Define("test/announce", func(ctx context.Context, text string) (int, error) {
	fmt.Println("announcing")
	c := New(speak, text+"\n")
	if err := c.Start(ctx); err != nil {
		return 0, err
	}
	if _, err := c.Result(ctx); err != nil {
		return 0, err
	}
	p := Command([]string{"echo", "done"})
	if err := p.Start(ctx); err != nil {
		return 0, err
	}
	return len(text), p.Join(ctx)
})

func TestOutput_IsInherited(t *testing.T) {
	t.Parallel()
	out, err := new(buffer), new(buffer)
	c := New(announce, "hello", WithStdout(out), WithStderr(err))
	start(t, c.Process)
	if n, err := c.Result(within(t)); n != 5 || err != nil {
		t.Fatalf("Result = %d, %v", n, err)
	}
	if got := out.String(); got != "announcing\nout:hello\ndone\n" {
		t.Errorf("stdout %q", got)
	}
	if got := err.String(); got != "err:hello\n" {
		t.Errorf("stderr %q", got)
	}
}

func TestOutput_GoesToAFile(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := Command([]string{"sh", "-c", "echo one; echo two >&2"}, WithStdout(f), WithStderr(f))
	start(t, p)
	if err := p.Join(within(t)); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(f.Name())
	if s := string(b); s != "one\ntwo\n" && s != "two\none\n" {
		t.Errorf("the file has %q", s)
	}
}

// Of a plain bytes.Buffer the race detector finds two writers.
func TestOutput_SameWriterHasOneCaller(t *testing.T) {
	t.Parallel()
	both := new(bytes.Buffer)
	p := Command([]string{"sh", "-c", `for i in 1 2 3 4 5 6 7 8 9; do echo out; echo err >&2; done`}, WithStdout(both), WithStderr(both))
	start(t, p)
	if err := p.Join(within(t)); err != nil {
		t.Fatal(err)
	}
	if s := both.String(); strings.Count(s, "out\n") != 9 || strings.Count(s, "err\n") != 9 {
		t.Errorf("got %q", s)
	}
}

// byValue has a type that == panics for.
type byValue struct{ b []*buffer }

func (w byValue) Write(p []byte) (int, error) { return w.b[0].Write(p) }

func TestOutput_WriterNeedNotBeComparable(t *testing.T) {
	t.Parallel()
	w := byValue{[]*buffer{new(buffer)}}
	p := Command([]string{"echo", "x"}, WithStdout(w), WithStderr(w))
	start(t, p)
	if err := p.Join(within(t)); err != nil || w.b[0].String() != "x\n" {
		t.Errorf("%q, %v", w.b[0].String(), err)
	}
}

var errDiskFull = errors.New("disk is full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errDiskFull }

func TestOutput_LostIsAnError(t *testing.T) {
	t.Parallel()
	p := Command([]string{"sh", "-c", "yes | head -c 1000000"}, WithStdout(fullDisk{}))
	start(t, p)
	if e := exit(t, p, 0); !errors.Is(e, errDiskFull) || !strings.Contains(e.Error(), "stdout is lost") {
		t.Errorf("%v, want errDiskFull", e)
	}
}

func TestStdin_IsCopied(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("all work and no play\n", 50_000)
	out := new(buffer)
	p := Command([]string{"cat"}, WithStdin(strings.NewReader(text)), WithStdout(out))
	start(t, p)
	if err := p.Join(within(t)); err != nil {
		t.Fatal(err)
	}
	if out.String() != text {
		t.Errorf("%d bytes came back of %d", len(out.String()), len(text))
	}
}

func TestStdin_IsNullByDefault(t *testing.T) {
	t.Parallel()
	for _, o := range []Option{WithStdin(nil), WithStdin((*os.File)(nil)), WithDir("")} {
		out := new(buffer)
		p := Command([]string{"sh", "-c", "wc -c"}, o, WithStdout(out))
		start(t, p)
		if err := p.Join(within(t)); err != nil || strings.TrimSpace(out.String()) != "0" {
			t.Errorf("%q, %v", out.String(), err)
		}
	}
}

func TestStdin_NeedNotBeRead(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe() // its reader blocks until the end of the test
	defer w.Close()
	for _, in := range []io.Reader{strings.NewReader(strings.Repeat("x", 1<<20)), r} {
		p := Command([]string{"true"}, WithStdin(in))
		start(t, p)
		if err := p.Join(within(t)); err != nil {
			t.Error(err)
		}
	}
}

func TestStdin_ThatBreaksIsAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("cable cut")
	r, w := io.Pipe()
	w.CloseWithError(broken)
	p := Command([]string{"cat"}, WithStdin(r))
	start(t, p)
	if e := exit(t, p, 0); !errors.Is(e, broken) {
		t.Errorf("%v, want %v", e, broken)
	}
}

var where = task.Define("test/where", func(context.Context, int) ([]string, error) {
	dir, err := os.Getwd()
	return []string{dir, os.Getenv("PROCESS_TEST_COLOUR")}, err
})

func TestProcess_EnvironmentAndFolder(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := New(where, 0, WithDir(dir), environ("PROCESS_TEST_COLOUR=green"))
	start(t, c.Process)
	got, err := c.Result(within(t))
	if err != nil || got[0] != dir || got[1] != "green" {
		t.Errorf("Result = %q, %v", got, err)
	}
	out := new(buffer)
	p := Command([]string{"sh", "-c", "pwd; echo $COLOUR$HOME"}, WithDir(dir), WithEnv([]string{"COLOUR=blue"}), WithStdout(out))
	start(t, p)
	if err := p.Join(within(t)); err != nil || out.String() != dir+"\nblue\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	here, _ := os.Getwd()
	c = New(where, 0)
	start(t, c.Process)
	if got, err := c.Result(within(t)); err != nil || got[0] != here || got[1] != "" {
		t.Errorf("without options: %q, %v", got, err)
	}
}
