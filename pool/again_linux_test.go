package pool_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// failing is a command that fails, and is tried again when its owner says so.
func failing(label string, again func(*pool.Job)) *pool.Job {
	return &pool.Job{
		Label: label, Command: &pool.Command{Argv: []string{"false"}},
		Retry: pool.Retry{Max: 1, Backoff: time.Millisecond}, Again: again,
	}
}

func TestAgain_LetsTheOwnerStartTheNextAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	for name, backoff := range map[string]pool.Retry{
		"back-off":    {Max: 2, Backoff: time.Millisecond},
		"no back-off": {Max: 2, NoBackoff: true},
	} {
		var o outcomes
		asked := make(chan *pool.Job, 1)
		j := failing(name, func(j *pool.Job) { asked <- j })
		j.Retry = backoff
		var attempts atomic.Int32
		j.Prepare = func(*pool.Job, int, int) error { attempts.Add(1); return nil }
		if b.Again(j) {
			t.Errorf("%s: a job that the pool does not have is queued", name)
		}
		o.submit(b, j)
		for n := int32(1); n <= 2; n++ {
			if got := <-asked; got != j {
				t.Errorf("%s: asked about another job", name)
			}
			// The slot is free, and the job does not take it.
			if r, _, _ := runCommand(b, &pool.Job{Command: &pool.Command{Argv: []string{"true"}}}); r.Outcome != pool.OK {
				t.Errorf("%s: another job: %s", name, r.Outcome)
			}
			if s := b.Stats(); s.Waiting != 1 || attempts.Load() != n {
				t.Errorf("%s: %d jobs wait, %d attempts, want 1 and %d", name, s.Waiting, attempts.Load(), n)
			}
			if !b.Again(j) {
				t.Errorf("%s: not queued", name)
			}
			if b.Again(j) {
				t.Errorf("%s: queued twice", name)
			}
		}
		o.wait(b)
		o.want(b, name, pool.Failed)
		if r := o.got[name][0]; r.Attempt != 3 {
			t.Errorf("%s: %d attempts", name, r.Attempt)
		}
		if b.Again(j) {
			t.Errorf("%s: queued after its end", name)
		}
	}
}

func TestAgain_WithinTheCallback(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	var o outcomes
	o.submit(b, failing("job", func(j *pool.Job) {
		if !b.Again(j) {
			t.Error("not queued")
		}
	}))
	o.wait(b)
	o.want(b, "job", pool.Failed)
}

func TestAgain_CancelWhileTheJobWaits(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*bundle, *pool.Job){
		"cancel": func(b *bundle, j *pool.Job) {
			if got := b.Cancel(j); got != pool.Dequeued {
				t.Errorf("found %v", got)
			}
			if got := b.Cancel(j); got != pool.TooLate {
				t.Errorf("then found %v", got)
			}
		},
		"kill": func(b *bundle, _ *pool.Job) { b.Kill() },
	} {
		for _, inside := range []bool{false, true} {
			b := setup(t, pool.Config{Workers: 1})
			var returned atomic.Bool
			asked, ended := make(chan struct{}), make(chan pool.Result, 1)
			j := failing("job", func(j *pool.Job) {
				if inside {
					end(b, j)
					time.Sleep(5 * time.Millisecond) // for a Done that does not wait
				}
				returned.Store(true)
				close(asked)
			})
			j.Done = func(_ *pool.Job, r *pool.Result) {
				if !returned.Load() {
					t.Errorf("%s: Done is called before Again has returned", name)
				}
				ended <- *r
			}
			if err := b.Go(j); err != nil {
				t.Fatal(err)
			}
			<-asked
			if !inside {
				end(b, j)
			}
			if r := <-ended; r.Outcome != pool.Cancelled || r.Attempt != 1 || r.Evidence != "cancelled between two attempts" {
				t.Errorf("%s: %s, attempt %d: %s", name, r.Outcome, r.Attempt, r.Evidence)
			}
			if b.Again(j) {
				t.Errorf("%s: queued after its end", name)
			}
		}
	}
}
