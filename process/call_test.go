//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

var reverse = task.Define("test/reverse", func(_ context.Context, b []byte) ([]byte, error) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return b, nil
})

func TestCall_SizesOfArgumentAndResult(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, ipc.MaxInline - 64, ipc.MaxInline - 5, ipc.MaxInline, ipc.MaxInline + 1, 16 << 20} {
		in := make([]byte, n)
		for i := range in {
			in[i] = byte(i * 7 >> (i % 3))
		}
		want := bytes.Clone(in)
		for i := range want {
			want[i] = in[n-1-i]
		}
		c := New(reverse, in)
		start(t, c.Process)
		got, err := c.Result(within(t))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d came back, %v", n, len(got), err)
		}
		if err := c.Join(within(t)); err != nil {
			t.Errorf("%d bytes: Join: %v", n, err)
		}
	}
}

func TestCall_RunsInAnotherProgram(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := New(cmdline, 0, WithProgram(exe, "-x", "a b"))
	start(t, c.Process)
	got, err := c.Result(within(t))
	if want := []string{exe, "-x", "a b"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("its arguments are %q, %v, want %q", got, err, want)
	}
}

var cmdline = task.Define("test/cmdline", func(context.Context, int) ([]string, error) { return os.Args, nil })

var bloat = task.Define("test/bloat", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })

func TestCall_ResultTooLarge(t *testing.T) {
	t.Parallel()
	c := New(bloat, ipc.MaxMessage+1)
	start(t, c.Process)
	if _, err := c.Result(within(t)); !errors.Is(err, worker.ErrResultTooLarge) {
		t.Errorf("Result: %v, want ErrResultTooLarge", err)
	}
}

var sum = task.Define("test/sum", func(_ context.Context, ns []int) (map[string]int, error) {
	total := 0
	for _, n := range ns {
		total += n
	}
	return map[string]int{"sum": total}, nil
})

func TestCall_ArgumentIsASnapshot(t *testing.T) {
	t.Parallel()
	in := []int{1, 2, 3}
	c := New(sum, in)
	in[0] = 10 // before Start it counts
	start(t, c.Process)
	in[1] = 100
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if out, err := c.Result(within(t)); err != nil || out["sum"] != 15 {
				t.Errorf("Result = %v, %v, want 15", out, err)
			}
		})
	}
	all.Wait()
}

func TestCall_ErrorOfTheTaskIsTyped(t *testing.T) {
	t.Parallel()
	c := New(end, "error")
	start(t, c.Process)
	_, err := c.Result(within(t))
	var f *task.Failure
	if !errors.Is(err, errOutOfPaper) || !errors.As(err, &f) || f.Msg != "page 7: out of paper" || f.Stage != task.StageFunction {
		t.Errorf("Result: %v, failure %+v", err, f)
	}
}

func BenchmarkCall(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c := New(square, 2)
		if err := c.Start(context.Background()); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Result(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommand(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		p := Command([]string{"/bin/true"})
		if err := p.Start(context.Background()); err != nil {
			b.Fatal(err)
		}
		if err := p.Join(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
