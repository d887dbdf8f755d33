package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/pool"
)

const scriptEnv = "POOL_TEST_SCRIPT"

func init() { roles = append(roles, playScript) }

// playScript is a worker that speaks the protocol by hand, as the environment
// names it.
func playScript() {
	play := map[string]func(*faulttest.Worker){"thrifty": thrifty, "deaf": ignoresCancel, "hasty": startsTwo}[os.Getenv(scriptEnv)]
	if boot.Role != boot.Worker || play == nil {
		return
	}
	play(faulttest.New(noop.Name()))
	os.Exit(0)
}

func script(name string) pool.Program {
	return pool.Program{Env: append(os.Environ(), scriptEnv+"="+name)}
}

// outcomes collects the ends of jobs by their labels.
type outcomes struct {
	mu   sync.Mutex
	got  map[string][]pool.Result
	open sync.WaitGroup
}

func (o *outcomes) submit(b *bundle, j *pool.Job) {
	b.Helper()
	o.open.Add(1)
	j.Done = func(j *pool.Job, r *pool.Result) {
		o.mu.Lock()
		if o.got == nil {
			o.got = map[string][]pool.Result{}
		}
		o.got[j.Label] = append(o.got[j.Label], *r)
		first := len(o.got[j.Label]) == 1
		o.mu.Unlock()
		if first {
			o.open.Done()
		}
	}
	if err := b.Go(j); err != nil {
		b.Fatal(err)
	}
}

// wait fails the test when the jobs do not end. The pool is killed then, or the
// test would not end either.
func (o *outcomes) wait(b *bundle) {
	b.Helper()
	all := make(chan struct{})
	go func() {
		o.open.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-time.After(10 * time.Second):
		b.Error("the jobs do not end")
		b.Kill()
		<-all
	}
}

func (o *outcomes) of(label string) pool.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.got[label]) != 1 {
		return pool.Outcome(fmt.Sprintf("%d ends", len(o.got[label])))
	}
	return o.got[label][0].Outcome
}

func (o *outcomes) want(b *bundle, label string, want pool.Outcome) {
	b.Helper()
	if got := o.of(label); got != want {
		b.Errorf("%s: %s, want %s", label, got, want)
	}
}

func noopJob(label string) *pool.Job {
	payload, _ := noop.EncodeIn(nil, 1)
	return &pool.Job{Task: noop.Name(), Label: label, Payload: payload}
}

func TestPrepare_ErrorFreesTheWindowAndTheSlot(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	var o outcomes
	bad := noopJob("bad")
	bad.Prepare = func(*pool.Job, int, int) error { return errors.New("no input") }
	last := noopJob("last")
	last.Prepare = bad.Prepare
	o.submit(b, bad)
	o.submit(b, noopJob("behind"))
	o.submit(b, last)
	o.submit(b, &pool.Job{Label: "command", Command: &pool.Command{Argv: []string{"true"}}})
	o.wait(b)
	o.want(b, "bad", pool.Failed)
	o.want(b, "behind", pool.OK)
	o.want(b, "last", pool.Failed)
	o.want(b, "command", pool.OK)
}

func TestPrepare_PayloadOverTheCapIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	var o outcomes
	j := noopJob("large")
	j.Prepare = func(j *pool.Job, _, _ int) error {
		j.Payload = make([]byte, ipc.MaxMessage+1)
		return nil
	}
	o.submit(b, j)
	o.wait(b)
	o.want(b, "large", pool.Failed)
	if n := b.WorkersLost(); n > 0 {
		t.Errorf("%d workers were lost", n)
	}
}

// Go returns before a callback needs what its caller holds.
func TestGo_ReturnsBeforeTheCallbacks(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	if _, err := pool.Call(b.ctx, b.Pool, noop, 1); err != nil { // its worker is idle from now on
		t.Fatal(err)
	}
	for _, name := range []string{"Prepare", "Started"} {
		returned := make(chan struct{})
		wait := func() {
			select {
			case <-returned:
			case <-time.After(5 * time.Second):
				t.Errorf("Go waits for %s", name)
			}
		}
		j := noopJob(name)
		if name == "Prepare" {
			j.Prepare = func(*pool.Job, int, int) error { wait(); return nil }
		} else {
			j.Started = func(*pool.Job, int, int, string, int) { wait() }
		}
		var o outcomes
		o.submit(b, j)
		close(returned)
		o.wait(b)
		o.want(b, name, pool.OK)
	}
}

// A job whose class is given up is no longer there to be cancelled.
func TestCancel_OfAJobThatWasGivenUp(t *testing.T) {
	t.Parallel()
	gated(t)
	var p atomic.Pointer[pool.Pool]
	j := noopJob("job")
	exits := 0
	cfg := pool.Config{Workers: 1, Restarts: 1, Program: pool.Program{Command: []string{"/bin/false"}}}
	cfg.OnWorker = func(e pool.WorkerEvent) {
		if exits++; exits == 2 {
			p.Load().Cancel(j)
		}
	}
	made, err := pool.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.Store(made)
	b := &bundle{T: t, ctx: context.Background(), Pool: made}
	var o outcomes
	o.submit(b, j)
	o.wait(b)
	if err := made.Close(); err != nil {
		t.Error(err)
	}
	o.want(b, "job", pool.Internal)
}

func TestKill_WakesTasks(t *testing.T) {
	t.Parallel()
	begun := filepath.Join(t.TempDir(), "begun")
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Command: []string{"sh", "-c", "> " + begun + "; exec sleep 60"}}})
	got := make(chan error)
	go func() {
		_, err := b.Tasks(b.ctx, nil)
		got <- err
	}()
	waitFor(t, func() bool { _, err := os.Stat(begun); return err == nil })
	b.Kill()
	select {
	case err := <-got:
		if !errors.Is(err, pool.ErrClosed) {
			t.Errorf("Tasks: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Tasks still waits")
	}
}

// thrifty names the least credit that is allowed, holds as much of it back as is
// allowed, and ends when it gets more than it granted.
func thrifty(f *faulttest.Worker) {
	const credit = 64 << 10
	f.OpenPage()
	f.Send(f.ReadyBody(func(r *ipc.Ready) { r.Window, r.Credit = 64, credit }, ipc.CapPage, ipc.CapCancel, ipc.CapCredit))
	var arrived atomic.Int64
	jobs := make(chan ipc.Message, 1<<16)
	go func() {
		var parts ipc.Assembler
		for {
			body, err := f.In.Next()
			if err != nil {
				os.Exit(0)
			}
			m, err := ipc.Parse(bytes.Clone(body))
			faulttest.Must(err)
			arrived.Add(int64(len(m.Body)))
			whole := &m
			switch {
			case m.Kind == ipc.KindStop:
				os.Exit(0)
			case m.Chunked():
				faulttest.Must(parts.Begin(&m))
				continue
			case m.Kind == ipc.KindData:
				whole, err = parts.Add(&m)
				faulttest.Must(err)
				jobs <- ipc.Message{Kind: ipc.KindData, Body: m.Body}
			}
			if whole != nil && whole.Kind == ipc.KindJob {
				if m.Kind == ipc.KindData {
					whole.Body = nil // its bytes have been counted
				}
				jobs <- *whole
			}
		}
	}()
	granted, owed := int64(credit), 0
	for m := range jobs {
		if len(m.Body) > 1000 {
			time.Sleep(5 * time.Millisecond) // whatever was sent is here by then
		}
		if arrived.Load() > granted {
			faulttest.Must(fmt.Errorf("%d bytes came, %d were granted", arrived.Load(), granted))
		}
		owed += len(m.Body)
		if m.Kind == ipc.KindJob {
			f.Page.SetStarted(0, m.ID)
		}
		if owed > credit/4 {
			granted += int64(owed)
			f.Send(ipc.AppendCredit(nil, uint64(owed)))
			owed = 0
		}
		if m.Kind == ipc.KindJob {
			f.Send(ipc.AppendResult(nil, m.ID, ipc.StatusOK, []byte{0xc0}))
		}
	}
}

func TestCredit_HoldsForWhatPrepareMakes(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: script("thrifty")})
	var o outcomes
	for i := range 300 {
		j := noopJob(fmt.Sprint(i))
		if i >= 200 {
			j.Prepare = func(j *pool.Job, _, _ int) error {
				j.Payload = make([]byte, []int{10_000, 60_000, 30_000, 70_000}[i%4])
				return nil
			}
		}
		o.submit(b, j)
	}
	for i := range 20 {
		j := noopJob(fmt.Sprint("direct ", i))
		j.Payload = make([]byte, []int{10_000, 60_000}[i%2])
		o.submit(b, j)
	}
	o.wait(b)
	for label := range o.got {
		o.want(b, label, pool.OK)
	}
	if n := b.WorkersLost(); n > 0 {
		t.Errorf("%d workers were lost: %+v", n, b.events)
	}
}

// ignoresCancel takes a job, and does not end whatever it is told.
func ignoresCancel(f *faulttest.Worker) {
	f.Ready(ipc.CapCancel)
	f.Job()
	faulttest.Hang()
}

func TestCancel_WhilePreparingIsFollowedByTheKill(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: script("deaf")})
	for _, size := range []int{1, 100_000} {
		var o outcomes
		j := noopJob("job")
		j.KillAfter = 50 * time.Millisecond
		j.Prepare = func(j *pool.Job, _, _ int) error {
			j.Payload = make([]byte, size)
			b.Cancel(j)
			return nil
		}
		o.submit(b, j)
		o.wait(b)
		o.want(b, "job", pool.Cancelled)
	}
}

// startsTwo answers a job, and starts a second, and a third when it is asked to
// end the second.
func startsTwo(f *faulttest.Worker) {
	f.ReadyPaged()
	f.Answer(f.Job())
	second := f.Job()
	f.Page.SetStarted(0, second.ID)
	third := f.Job()
	for {
		body, err := f.In.Next()
		faulttest.Must(err)
		if m, err := ipc.Parse(body); err == nil && m.Kind == ipc.KindCancel && m.ID == second.ID {
			f.Page.SetStarted(0, third.ID)
			faulttest.Hang()
		}
	}
}

// The kill for a job that took too long is not the timeout of another.
func TestTimeout_IsNotThatOfAnotherJob(t *testing.T) {
	t.Parallel()
	cfg := pool.Config{Workers: 1, Program: script("hasty")}
	cfg.SetJobTime(func(time.Duration) time.Duration { return time.Microsecond }) // on a busy machine, too
	b := setup(t, cfg)
	var o outcomes
	first, slow := noopJob("first"), noopJob("slow")
	submitted := make(chan struct{})
	first.Prepare = func(*pool.Job, int, int) error {
		<-submitted // so that the third follows the second at once
		return nil
	}
	slow.Timeout, slow.KillAfter = 50*time.Millisecond, 50*time.Millisecond
	for _, j := range []*pool.Job{first, slow, noopJob("third")} {
		o.submit(b, j)
	}
	close(submitted)
	o.wait(b)
	o.want(b, "first", pool.OK)
	o.want(b, "slow", pool.TimedOut)
	o.want(b, "third", pool.Crashed)
}
