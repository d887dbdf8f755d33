package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// until is a command that runs until its file is there.
func until(label, file string, slots int) *pool.Job {
	return &pool.Job{Label: label, Slots: slots, Command: &pool.Command{Argv: []string{"sh", "-c", `until [ -e "$0" ]; do sleep .01; done`, file}}}
}

func sleeper(label string, slots int) *pool.Job {
	return &pool.Job{Label: label, Slots: slots, Command: &pool.Command{Argv: []string{"sleep", "60"}}}
}

func truth(label string, slots int) *pool.Job {
	return &pool.Job{Label: label, Slots: slots, Command: &pool.Command{Argv: []string{"true"}}}
}

func napJob(label string, d time.Duration, slots int) *pool.Job {
	payload, _ := nap.EncodeIn(nil, d)
	return &pool.Job{Task: nap.Name(), Label: label, Payload: payload, Slots: slots}
}

// wantFree waits until nobody has a slot, and fails when one is lost or doubled.
func wantFree(b *bundle) {
	b.Helper()
	waitFor(b.T, func() bool { s := b.Stats(); return s.Running == 0 && s.Queued == 0 && s.Free == s.Slots })
	if s := b.Stats(); s.Kept != 0 {
		b.Errorf("%d slots are kept for nobody", s.Kept)
	}
}

func create(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSlots_WideJobIsNotStarved(t *testing.T) {
	t.Parallel()
	for _, wide := range []*pool.Job{truth("wide", 3), napJob("wide", 0, 3)} {
		b := setup(t, pool.Config{Workers: 3})
		dir := t.TempDir()
		var o outcomes
		for i := range 3 {
			o.submit(b, until(fmt.Sprint("old ", i), filepath.Join(dir, fmt.Sprint(i)), 0))
		}
		waitFor(t, func() bool { return b.Stats().Running == 3 })
		o.submit(b, wide)
		var late []*pool.Job
		for i := range 4 { // all behind it, whatever becomes free
			j := truth(fmt.Sprint("late ", i), 0)
			o.submit(b, j)
			late = append(late, j)
		}
		for kept := 1; kept <= 2; kept++ {
			create(t, filepath.Join(dir, fmt.Sprint(kept)))
			waitFor(t, func() bool { s := b.Stats(); return s.Kept == kept && s.Running == 3-kept })
		}
		if s := b.Stats(); s.Queued != 5 {
			t.Errorf("%d jobs wait, want the wide one and those behind it", s.Queued)
		}
		create(t, filepath.Join(dir, "0"))
		o.wait(b)
		for _, j := range append(late, wide) {
			o.want(b, j.Label, pool.OK)
		}
		for _, j := range late {
			if o.got[j.Label][0].Start.Before(o.got["wide"][0].Start) {
				t.Errorf("%s was started before the wide job", j.Label)
			}
		}
		if slot := o.got["wide"][0].Slot; slot != 1 {
			t.Errorf("slot %d, want the lowest", slot)
		}
		wantFree(b)
	}
}

func TestSlots_WhatAWideJobDoesNotTakeIsUsed(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 3})
	file := filepath.Join(t.TempDir(), "end")
	var o, rest outcomes
	o.submit(b, until("wide", file, 2))
	for i := range 5 {
		rest.submit(b, truth(fmt.Sprint(i), 1))
	}
	rest.wait(b)
	waitFor(t, func() bool { s := b.Stats(); return s.Running == 1 && s.Free == 1 }) // a slot is free after Done
	create(t, file)
	o.wait(b)
	wantFree(b)
}

// Warm workers with work of their class make room, too.
func TestSlots_WarmWorkersYieldToAWideTask(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	var o outcomes
	stop := make(chan struct{})
	var feeders sync.WaitGroup
	for f := range 4 {
		feeders.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				done := make(chan struct{})
				j := noopJob(fmt.Sprint(f, ".", i))
				j.Done = func(*pool.Job, *pool.Result) { close(done) }
				if err := b.Go(j); err != nil {
					t.Error(err)
					return
				}
				<-done
			}
		})
	}
	waitFor(t, func() bool { return b.Stats().Ended[pool.OK] > 100 })
	o.submit(b, napJob("task", 0, 2))
	o.submit(b, truth("command", 2))
	o.wait(b)
	close(stop)
	feeders.Wait()
	o.want(b, "task", pool.OK)
	o.want(b, "command", pool.OK)
	wantFree(b)
}

func TestSlots_WideTaskIsAloneInItsWorker(t *testing.T) {
	t.Parallel()
	cfg := pool.Config{Workers: 2}
	cfg.SetJobTime(func(time.Duration) time.Duration { return time.Microsecond })
	b := setup(t, cfg)
	var o, narrow outcomes
	for i := range 20 {
		narrow.submit(b, noopJob(fmt.Sprint("warm ", i)))
	}
	narrow.wait(b) // the window is deep from now on
	wide := napJob("wide", time.Minute, 2)
	o.submit(b, wide)
	waitFor(t, func() bool { return b.Stats().Running == 1 })
	for i := range 10 {
		narrow.submit(b, noopJob(fmt.Sprint(i)))
	}
	if s := b.Stats(); s.Running != 1 || s.Queued != 10 || s.Free != 0 {
		t.Errorf("beside the wide task: %d run, %d wait, %d slots are free", s.Running, s.Queued, s.Free)
	}
	b.Cancel(wide)
	o.wait(b)
	narrow.wait(b)
	o.want(b, "wide", pool.Cancelled)
	wantFree(b)
}

func TestSlots_AreGivenBackHoweverAJobEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 3})
	fail := func(*pool.Job, int, int) error { return errors.New("no input") }
	var retried uint64
	kill := func(j *pool.Job) { // until the attempt is charged with it: it may not have begun
		waitFor(t, func() bool {
			killWorkers(t, b)
			s := b.Stats()
			return s.Running == 0 && s.Queued == 0 || s.Retried > retried
		})
	}
	for _, c := range []struct {
		name string
		job  *pool.Job
		act  func(*pool.Job)
		want pool.Outcome
	}{
		{"command ends", truth("", 2), nil, pool.OK},
		{"command fails", &pool.Job{Slots: 3, Command: &pool.Command{Argv: []string{"false"}}}, nil, pool.Failed},
		{"command not found", &pool.Job{Slots: 3, Command: &pool.Command{Argv: []string{"/nowhere"}}}, nil, pool.Failed},
		{"command timeout", &pool.Job{Slots: 2, Timeout: 20 * time.Millisecond, Command: sleeper("", 0).Command}, nil, pool.TimedOut},
		{"command cancelled", sleeper("", 3), func(j *pool.Job) { b.Cancel(j) }, pool.Cancelled},
		{"command retried", &pool.Job{Slots: 3, Retry: pool.Retry{Max: 3, NoBackoff: true}, Command: &pool.Command{Argv: []string{"false"}}}, nil, pool.Failed},
		{"no input", &pool.Job{Slots: 2, Prepare: fail, Command: &pool.Command{Argv: []string{"true"}}}, nil, pool.Failed},
		{"task ends", napJob("", 0, 3), nil, pool.OK},
		{"task cancelled", napJob("", time.Minute, 3), func(j *pool.Job) { b.Cancel(j) }, pool.Cancelled},
		{"task timeout", &pool.Job{Slots: 2, Task: nap.Name(), Payload: napJob("", time.Minute, 0).Payload, Timeout: 20 * time.Millisecond}, nil, pool.TimedOut},
		{"task, no input", &pool.Job{Slots: 2, Task: nap.Name(), Prepare: fail}, nil, pool.Failed},
		{"worker killed", napJob("", time.Minute, 3), kill, pool.Crashed},
		{"worker killed, retried", &pool.Job{
			Slots: 3, Task: nap.Name(), Payload: napJob("", 0, 0).Payload, Retry: pool.Retry{Max: 1, NoBackoff: true},
			Prepare: func(j *pool.Job, attempt, _ int) error {
				if attempt == 1 {
					j.Payload = napJob("", time.Minute, 0).Payload
				} else {
					j.Payload = napJob("", 0, 0).Payload
				}
				return nil
			},
		}, kill, pool.OK},
	} {
		retried = b.Stats().Retried
		var o outcomes
		j := c.job
		j.Label = c.name
		begun := make(chan struct{}, 10)
		if c.act != nil {
			j.Started = func(*pool.Job, int, int, string, int) { begun <- struct{}{} }
		}
		o.submit(b, j)
		if c.act != nil {
			<-begun
			if s := b.Stats(); s.Free != 3-j.Slots {
				t.Errorf("%s: %d slots are free while it runs", c.name, s.Free)
			}
			c.act(j)
		}
		o.wait(b)
		o.want(b, c.name, c.want)
		wantFree(b)
	}
}

func TestSlots_CancelWhileTheyAreCollected(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 3})
	file := filepath.Join(t.TempDir(), "end")
	var o outcomes
	o.submit(b, until("old", file, 1))
	first, second := truth("first", 3), truth("second", 3)
	o.submit(b, first)
	o.submit(b, second)
	narrow := truth("narrow", 1)
	o.submit(b, narrow)
	if s := b.Stats(); s.Kept != 2 || s.Free != 0 || s.Queued != 3 {
		t.Errorf("%d kept, %d free, %d wait", s.Kept, s.Free, s.Queued)
	}
	if got := b.Cancel(first); got != pool.Dequeued {
		t.Errorf("cancelled: %v", got)
	}
	if s := b.Stats(); s.Kept != 2 || s.Queued != 2 {
		t.Errorf("then %d kept, %d wait", s.Kept, s.Queued)
	}
	if got := b.Cancel(second); got != pool.Dequeued {
		t.Errorf("cancelled: %v", got)
	}
	waitFor(t, func() bool { return o.of("narrow") == pool.OK })
	create(t, file)
	o.wait(b)
	o.want(b, "first", pool.Cancelled)
	o.want(b, "second", pool.Cancelled)
	wantFree(b)
}

func TestSlots_MoreThanThereAre(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	for _, n := range []int{-1, 3} {
		j := truth("bad", n)
		j.Done = func(*pool.Job, *pool.Result) { t.Error("Done is called") }
		if err := b.Go(j); !errors.Is(err, pool.ErrJob) {
			t.Errorf("%d slots: %v", n, err)
		}
	}
	file := filepath.Join(t.TempDir(), "end")
	var o outcomes
	o.submit(b, until("old", file, 1))
	wide := truth("wide", 2)
	wide.Retry = pool.Retry{Max: 3}
	o.submit(b, wide) // has one slot now
	o.submit(b, truth("behind", 1))
	if err := b.Resize(1); err != nil {
		t.Fatal(err)
	}
	create(t, file)
	o.wait(b)
	o.want(b, "wide", pool.Failed)
	if r := o.got["wide"][0]; r.Which != pool.WhichSlots || r.Attempt != 1 || !errors.Is(r.Err(wide), pool.ErrJob) {
		t.Errorf("%s/%s, attempt %d: %v", r.Outcome, r.Which, r.Attempt, r.Err(wide))
	}
	o.want(b, "behind", pool.OK)
	wantFree(b)
}

func TestSlots_ResizeUnderWideJobs(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 4})
	file := filepath.Join(t.TempDir(), "end")
	var o outcomes
	o.submit(b, until("running", file, 3))
	o.submit(b, truth("waiting", 2))
	if s := b.Stats(); s.Kept != 1 {
		t.Fatalf("%d slots are kept", s.Kept)
	}
	for _, n := range []int{2, 6, 3, 2} {
		if err := b.Resize(n); err != nil {
			t.Fatal(err)
		}
		if n == 6 {
			waitFor(t, func() bool { return o.of("waiting") == pool.OK })
		}
	}
	create(t, file)
	o.wait(b)
	o.want(b, "running", pool.OK)
	wantFree(b)
	if s := b.Stats(); s.Slots != 2 {
		t.Errorf("%d slots", s.Slots)
	}
}

func TestSlots_KillAndShutdownWithWideJobs(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*bundle){
		"kill": func(b *bundle) { b.Kill() },
		"shutdown": func(b *bundle) {
			now, cancel := context.WithCancel(context.Background())
			cancel()
			b.Shutdown(now)
		},
	} {
		b := setup(t, pool.Config{Workers: 3})
		var o outcomes
		o.submit(b, sleeper("command", 2))
		o.submit(b, napJob("task", time.Minute, 3)) // collects
		o.submit(b, napJob("behind", time.Minute, 2))
		waitFor(t, func() bool { s := b.Stats(); return s.Running == 1 && s.Kept == 1 })
		end(b)
		o.wait(b)
		for _, label := range []string{"command", "task", "behind"} {
			if o.of(label) != pool.Cancelled {
				t.Errorf("%s: %s ends as %s", name, label, o.of(label))
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if s := b.Stats(); s.Kept != 0 || s.Queued != 0 {
			t.Errorf("%s: %d slots are kept, %d jobs wait", name, s.Kept, s.Queued)
		}
	}
}

// A program that cannot be started does not keep slots.
func TestSlots_OfAClassThatIsGivenUp(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2, Restarts: 1})
	bad := &pool.Program{Command: []string{"/bin/false"}}
	var o outcomes
	for i := range 3 {
		j := napJob(fmt.Sprint(i), 0, 2)
		j.Program = bad
		o.submit(b, j)
	}
	o.submit(b, truth("command", 2))
	o.wait(b)
	for i := range 3 {
		o.want(b, fmt.Sprint(i), pool.Internal)
	}
	o.want(b, "command", pool.OK)
	wantFree(b)
}

// Whatever happens to jobs of all widths, no slot is lost, and none is given twice.
func TestSlots_AtRandom(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 4, MaxWindow: 16})
	random := rand.New(rand.NewPCG(1, 2))
	var o outcomes
	var all []*pool.Job
	audit := func(*pool.Job, int, int, string, int) {
		if err := b.AuditSlots(); err != nil {
			t.Error(err)
		}
	}
	for i := range 400 {
		var j *pool.Job
		label, slots := fmt.Sprint(i), max(1, random.IntN(7)-2)
		switch random.IntN(6) {
		case 0:
			j = truth(label, slots)
		case 1:
			j = truth(label, slots)
			j.Command, j.Retry = &pool.Command{Argv: []string{"false"}}, pool.Retry{Max: 1, NoBackoff: true}
		case 2:
			j = napJob(label, 20*time.Millisecond, slots)
			j.Timeout = 10 * time.Millisecond
		default:
			j = napJob(label, time.Duration(random.IntN(3))*time.Millisecond, slots)
		}
		j.Priority = random.IntN(2)
		j.Started = audit
		o.submit(b, j)
		all = append(all, j)
		switch random.IntN(20) {
		case 0, 1:
			b.Cancel(all[random.IntN(len(all))])
		case 2:
			if err := b.Resize(4 + random.IntN(3)); err != nil {
				t.Fatal(err)
			}
		case 3:
			killWorkers(t, b)
		case 4: // what has been given away may end
			waitFor(t, func() bool { return b.Stats().Queued < 20 })
		}
		audit(nil, 0, 0, "", 0)
	}
	o.wait(b)
	if err := b.Resize(4); err != nil {
		t.Fatal(err)
	}
	wantFree(b)
	audit(nil, 0, 0, "", 0)
}

// killWorkers kills those that have a job.
func killWorkers(t *testing.T, b *bundle) {
	t.Helper()
	for _, w := range b.Stats().Workers {
		if w.Flight > 0 && w.PID > 0 {
			syscall.Kill(w.PID, syscall.SIGKILL)
		}
	}
}
