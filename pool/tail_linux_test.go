package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// narrate prints to both streams, waits for a file, prints again, and ends as told.
var narrate = task.Define("narrate", func(_ context.Context, s story) (int, error) {
	tell := func(part string) {
		fmt.Print("out " + part)
		fmt.Fprint(os.Stderr, "err "+part)
	}
	tell(s.First)
	for s.File != "" {
		if _, err := os.Stat(s.File); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	tell(s.Then)
	switch s.End {
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "fail":
		return 0, errors.New("it ends badly")
	}
	return 0, nil
})

type story struct{ First, File, Then, End string }

func storyJob(label string, s story) *pool.Job {
	payload, _ := narrate.EncodeIn(nil, s)
	return &pool.Job{Task: narrate.Name(), Label: label, Payload: payload}
}

// told is what Output was called with, by attempts.
type told struct {
	t       *testing.T
	mu      sync.Mutex
	inside  bool
	ended   bool
	streams [2]bytes.Buffer
	news    chan struct{}
	calls   int
}

// hear lets j tell. The Results of its attempts have to say the same.
func hear(t *testing.T, j *pool.Job) *told {
	o := &told{t: t, news: make(chan struct{}, 1)}
	j.Output = func(got *pool.Job, stderr bool, p []byte) {
		o.mu.Lock()
		if o.inside || o.ended || got != j || len(p) == 0 {
			t.Errorf("%s: call within another %v, after the end %v, of %d bytes", j.Label, o.inside, o.ended, len(p))
		}
		o.inside = true
		o.calls++
		i := 0
		if stderr {
			i = 1
		}
		o.streams[i].Write(p)
		o.mu.Unlock()
		select {
		case o.news <- struct{}{}:
		default:
		}
		o.mu.Lock()
		o.inside = false
		o.mu.Unlock()
	}
	j.Retrying = func(_ *pool.Job, r *pool.Result, _ time.Duration) { o.compare(r) }
	return o
}

// compare checks an attempt, and begins the next.
func (o *told) compare(r *pool.Result) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, out := range []*pool.Output{&r.Stdout, &r.Stderr} {
		var all bytes.Buffer
		out.WriteTo(&all)
		if got := o.streams[i].Bytes(); !bytes.Equal(got, all.Bytes()) {
			o.t.Errorf("attempt %d, stream %d: told %d bytes, the result has %d", r.Attempt, i+1, len(got), all.Len())
		}
		o.streams[i].Reset()
	}
}

// run runs j to its end.
func (o *told) run(b *bundle, j *pool.Job) *pool.Result {
	b.Helper()
	ended := make(chan *pool.Result, 1)
	o.start(b, j, ended)
	return <-ended
}

func (o *told) start(b *bundle, j *pool.Job, ended chan<- *pool.Result) {
	b.Helper()
	j.Done = func(_ *pool.Job, r *pool.Result) {
		o.compare(r)
		o.mu.Lock()
		o.ended = true
		o.mu.Unlock()
		c := *r
		ended <- &c
	}
	if err := b.Go(j); err != nil {
		b.Fatal(err)
	}
}

// await waits until both streams have said so much.
func (o *told) await(b *bundle, stdout, stderr string) {
	b.Helper()
	for {
		o.mu.Lock()
		got := [2]string{o.streams[0].String(), o.streams[1].String()}
		o.mu.Unlock()
		if got == [2]string{stdout, stderr} {
			return
		}
		select {
		case <-o.news:
		case <-b.ctx.Done():
			b.Fatalf("told %q, want %q and %q", got, stdout, stderr)
		}
	}
}

func TestOutput_OfACommandComesWhileItRuns(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	file := filepath.Join(t.TempDir(), "go on")
	j := &pool.Job{Label: "command", Command: &pool.Command{Argv: []string{"sh", "-c",
		`printf a; printf b >&2; until [ -e "$0" ]; do sleep .01; done; printf c; printf d >&2`, file}}}
	o := hear(t, j)
	ended := make(chan *pool.Result, 1)
	o.start(b, j, ended)
	o.await(b, "a", "b")
	create(t, file)
	if r := <-ended; r.Outcome != pool.OK {
		t.Error(r.Outcome, r.Evidence)
	}
	if o.calls < 4 {
		t.Errorf("%d calls", o.calls)
	}
}

func TestOutput_OfCommandsIsComplete(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2, MaxOutput: 16 << 20})
	for _, c := range []struct {
		name, script string
		want         pool.Outcome
	}{
		{"nothing", ":", pool.OK},
		{"both streams", "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done", pool.OK},
		{"killed", "echo out; echo err >&2; kill -9 $$", pool.Crashed},
		{"6 × 1 MB without a newline", "for i in 1 2 3 4 5 6; do head -c 1000000 /dev/zero | tr '\\0' $i; done", pool.OK},
		{"floods both", "yes >&2 & yes", pool.Limited},
		{"fails, and again", "echo out; echo err >&2; exit 1", pool.Failed},
		{"times out", "echo out; sleep 60", pool.TimedOut},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := &pool.Job{Label: c.name, Command: &pool.Command{Argv: []string{"sh", "-c", c.script}}, Retry: pool.Retry{Max: 1, NoBackoff: true}}
			if c.want == pool.TimedOut {
				j.Timeout = 100 * time.Millisecond
			}
			if r := hear(t, j).run(b, j); r.Outcome != c.want {
				t.Errorf("%s: %s", r.Outcome, r.Evidence)
			}
		})
	}
}

// A call that blocks holds up its own job, which can be killed, and no other.
func TestOutput_ThatBlocksHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	for _, j := range []*pool.Job{
		{Label: "command", Command: &pool.Command{Argv: []string{"sh", "-c", "yes >&2 & yes"}}},
		storyJob("task", story{First: strings.Repeat("x", 100_000), File: "/nowhere"}),
	} {
		blocked, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		var o outcomes
		j.KillAfter = 20 * time.Millisecond
		j.Output = func(*pool.Job, bool, []byte) {
			once.Do(func() { close(blocked) })
			<-release
		}
		o.submit(b, j)
		<-blocked
		for range 3 {
			other := &pool.Job{Label: "other", Command: &pool.Command{Argv: []string{"sh", "-c", "echo out; echo err >&2"}}}
			if r := hear(t, other).run(b, other); r.Outcome != pool.OK {
				t.Errorf("beside the %s: %s", j.Label, r.Outcome)
			}
			other = storyJob("other", story{First: "a", Then: "b"})
			if r := hear(t, other).run(b, other); r.Outcome != pool.OK {
				t.Errorf("beside the %s: %s", j.Label, r.Outcome)
			}
		}
		b.Cancel(j)
		close(release)
		o.wait(b)
		o.want(b, j.Label, pool.Cancelled)
	}
}

func TestOutput_OfATaskComesWhileItRuns(t *testing.T) {
	t.Parallel()
	cfg := pool.Config{Workers: 1}
	cfg.SetJobTime(func(time.Duration) time.Duration { return time.Microsecond }) // a deep window
	b := setup(t, cfg)
	dir := t.TempDir()
	var before outcomes
	ended := make(chan *pool.Result, 20)
	var all []*told
	for i := range 10 {
		quick := storyJob(fmt.Sprint("quick ", i), story{First: "a", Then: "b"})
		if i%2 == 0 {
			before.submit(b, quick)
		} else {
			o := hear(t, quick)
			o.start(b, quick, ended)
			all = append(all, o)
		}
	}
	slow := storyJob("slow", story{First: "1\n", File: filepath.Join(dir, "file"), Then: "2\n"})
	o := hear(t, slow)
	o.start(b, slow, ended)
	behind := storyJob("behind", story{First: "x", Then: "y"})
	hear(t, behind).start(b, behind, ended)
	o.await(b, "out 1\n", "err 1\n")
	create(t, filepath.Join(dir, "file"))
	before.wait(b)
	for range len(all) + 2 {
		if r := <-ended; r.Outcome != pool.OK {
			t.Errorf("%s: %s", r.Outcome, r.Evidence)
		}
	}
}

func TestOutput_OfTasksIsComplete(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2, Program: pool.Program{Threads: 1}})
	dir := t.TempDir()
	long := strings.Repeat("0123456789", 600_000)
	for _, c := range []struct {
		name string
		story
		want pool.Outcome
	}{
		{"short", story{First: "a", Then: "b"}, pool.OK},
		{"6 MB", story{First: long, Then: long}, pool.OK},
		{"killed", story{First: "a", Then: "b", End: "kill"}, pool.Crashed},
		{"fails, and again", story{First: "a", Then: "b", End: "fail"}, pool.Failed},
		{"killed while it is told", story{First: "a", File: filepath.Join(dir, "1"), Then: "b", End: "kill"}, pool.Crashed},
		{"long while it is told", story{First: long, File: filepath.Join(dir, "2"), Then: long}, pool.OK},
	} {
		j := storyJob(c.name, c.story)
		if c.End == "fail" {
			j.Retry = pool.Retry{Max: 1, NoBackoff: true}
		}
		o := hear(t, j)
		ended := make(chan *pool.Result, 1)
		o.start(b, j, ended)
		if c.File != "" {
			o.await(b, "out "+c.First, "err "+c.First)
			create(t, c.File)
		}
		if r := <-ended; r.Outcome != c.want {
			t.Errorf("%s: %s: %s", c.name, r.Outcome, r.Evidence)
		}
	}
}

func TestOutput_OfAWorkerWithThreadsComesAtTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Threads: 2}})
	j := storyJob("job", story{First: "a", Then: "b"})
	if r := hear(t, j).run(b, j); r.Outcome != pool.OK {
		t.Errorf("%s: %s", r.Outcome, r.Evidence)
	}
}
