//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

type step struct{ Done, Of int }

// march reports each step, and logs it.
var march = task.Define("test/march", func(ctx context.Context, n int) (int, error) {
	log := worker.Logger(ctx)
	for i := range n {
		log.Info("step", "number", i, "last", i == n-1)
		log.Debug("aside")
		if err := worker.Progress(ctx, step{i + 1, n}); err != nil {
			return 0, err
		}
	}
	return n, nil
})

func TestWithProgress_IsToldAllInOrderBeforeTheEnd(t *testing.T) {
	t.Parallel()
	var got []int // written before Done is closed, read after
	c := New(march, 100, WithLogger(nil), WithProgress(func(s step) { got = append(got, s.Done*1000+s.Of) }))
	start(t, c.Process)
	<-c.Done()
	if len(got) != 100 || got[0] != 1100 || got[99] != 100100 || !slices.IsSorted(got) {
		t.Errorf("%d reports: %v", len(got), got)
	}
	if n, err := c.Result(within(t)); n != 100 || err != nil {
		t.Errorf("Result = %d, %v", n, err)
	}
}

func TestWithProgress_ThatCannotGoOnIsTheOutcome(t *testing.T) {
	t.Parallel()
	calls := 0
	for name, c := range map[string]struct {
		option Option
		says   string
	}{
		"another type": {WithProgress(func(string) {}), "progress is lost: decode"},
		"panic": {WithProgress(func(step) {
			calls++
			panic("no ink")
		}), "progress is lost: panic: no ink"},
	} {
		p := New(march, 10, WithLogger(nil), c.option)
		start(t, p.Process)
		e := exit(t, p.Process, 0)
		if !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, e, c.says)
		}
		if n, err := p.Result(within(t)); n != 10 || err != nil {
			t.Errorf("%s: Result = %d, %v: the task is not to blame", name, n, err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls of what panics, want 1", calls)
	}
}

func TestWithLogger_GetsLinesWithTheProcessAsTheirName(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	l := hclog.New(&hclog.LoggerOptions{Name: "app", Output: &text, DisableTime: true, Level: hclog.Info})
	c := New(march, 2, WithName("marcher"), WithLogger(l))
	start(t, c.Process)
	<-c.Done()
	want := "[INFO]  app.marcher: step: number=0 last=false\n[INFO]  app.marcher: step: number=1 last=true\n"
	if text.String() != want {
		t.Errorf("log:\n%swant:\n%s", &text, want)
	}
}

// brokenSink is a logger's output that panics.
type brokenSink struct{ hclog.Logger }

func (b brokenSink) Named(string) hclog.Logger     { return b }
func (brokenSink) Log(hclog.Level, string, ...any) { panic(errors.New("log is on fire")) }

func TestWithLogger_ThatPanicsIsTheOutcome(t *testing.T) {
	t.Parallel()
	c := New(march, 2, WithLogger(brokenSink{hclog.NewNullLogger()}))
	start(t, c.Process)
	if e := exit(t, c.Process, 0); !strings.Contains(e.Error(), "log lines are lost: panic: log is on fire") {
		t.Errorf("%v", e)
	}
}

func TestOptions_OfTasksAreRefusedForCommands(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Option{
		"logger":   WithLogger(nil),
		"progress": WithProgress(func(int) {}),
	} {
		if err := Command([]string{"true"}, o).Start(context.Background()); !errors.Is(err, ErrOption) {
			t.Errorf("%s of a command: %v, want ErrOption", name, err)
		}
	}
	if err := New(square, 1, WithProgress[int](nil)).Start(context.Background()); !errors.Is(err, ErrOption) {
		t.Errorf("progress without a function: %v, want ErrOption", err)
	}
}

// Without an option lines go to the default logger, as they would without a
// process. The program has its own.
var talk = register("talk", func() int {
	os.Unsetenv(helperEnv)
	worker.Init()
	c := New(march, 1, WithName("talker"))
	if err := c.Start(context.Background()); err != nil {
		fmt.Println(err)
		return 1
	}
	<-c.Done()
	return 0
})

func TestLogger_WithoutAnOptionIsTheDefault(t *testing.T) {
	t.Parallel()
	stderr := new(buffer)
	p := selfAs(t, talk, WithStderr(stderr))
	start(t, p)
	if err := p.Join(within(t)); err != nil {
		t.Fatal(err)
	}
	if s := stderr.String(); !strings.Contains(s, "[INFO]  talker: step: number=0 last=true\n") {
		t.Errorf("stderr %q, want the line", s)
	}
}
