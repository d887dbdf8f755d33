package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/pool"
)

// fake is an executor that runs nothing: a test says how instances end.
type fake struct {
	// auto, if not nil, ends instances at once. Nil as its result leaves the
	// instance to the test.
	auto func(in *Instance) *pool.Result

	tasks []string
	mute  bool // tells of no start

	mu     sync.Mutex
	o      Observer
	order  []string             // labels, as submitted
	open   map[string]*Instance // not ended
	most   int                  // open at a time
	killed bool
	closed bool
	leaked []int
	final  bool
}

func (f *fake) Tasks(context.Context, *config.Job) ([]string, error) {
	if f.tasks == nil {
		return []string{"echo"}, nil
	}
	return f.tasks, nil
}

func (f *fake) Watch(func(pool.WorkerEvent)) {}

func (f *fake) Submit(in *Instance, o Observer) error {
	f.mu.Lock()
	f.o = o
	f.order = append(f.order, in.Label())
	if f.open == nil {
		f.open = make(map[string]*Instance)
	}
	f.open[in.Label()] = in
	f.most = max(f.most, len(f.open))
	f.mu.Unlock()
	if !f.mute {
		o.Started(in, Attempt{Number: 1, Slot: 1, PID: 100})
	}
	if f.auto != nil {
		if res := f.auto(in); res != nil {
			f.end(in.Label(), res)
		}
	}
	return nil
}

func (f *fake) Again(in *Instance) { f.o.Started(in, Attempt{Number: 2, Slot: 1, PID: 100}) }

func (f *fake) Cancel(in *Instance) {
	f.end(in.Label(), &pool.Result{Outcome: pool.Cancelled, Evidence: "interrupted", ExitCode: -1, Attempt: 1, PID: 100})
}

func (f *fake) Kill() {
	f.mu.Lock()
	f.killed = true
	var left []string
	for l := range f.open {
		left = append(left, l)
	}
	f.mu.Unlock()
	for _, l := range left {
		f.end(l, &pool.Result{Outcome: pool.Cancelled, Evidence: "killed", ExitCode: -1, Signal: 9, Attempt: 1, PID: 100})
	}
}

func (f *fake) Close(context.Context) Closing {
	f.closed = true
	return Closing{Leaked: f.leaked, Final: f.final}
}

// print has an instance write something, of which its observer hears if it watches.
func (f *fake) print(label string, stderr bool, text string) {
	f.mu.Lock()
	in := f.open[label]
	f.mu.Unlock()
	if in.Watched() {
		f.o.Output(in, stderr, []byte(text))
	}
}

// end ends an instance, unless it has ended.
func (f *fake) end(label string, res *pool.Result) {
	f.mu.Lock()
	in := f.open[label]
	delete(f.open, label)
	f.mu.Unlock()
	if in != nil {
		f.o.Done(in, res)
	}
}

func (f *fake) submitted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.order)
}

func (f *fake) underWay() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open)
}

func ok() *pool.Result {
	return &pool.Result{Outcome: pool.OK, Attempt: 1, PID: 100, Wall: time.Millisecond}
}

func failed(code int) *pool.Result {
	return &pool.Result{Outcome: pool.Failed, ExitCode: code, Attempt: 1, PID: 100}
}

// printing is the result of an instance that has written so much.
func printing(stdout, stderr string) *pool.Result {
	r := ok()
	r.Stdout, r.Stderr = outputOf(stdout), outputOf(stderr)
	return r
}

func outputOf(text string) pool.Output { return pool.BytesOutput([]byte(text)) }

// okBut ends all instances as ok but those of the labels.
func okBut(labels ...string) func(*Instance) *pool.Result {
	return func(in *Instance) *pool.Result {
		if slices.Contains(labels, in.Label()) {
			return failed(1)
		}
		return ok()
	}
}

// trial is a run in the making.
type trial struct {
	t       *testing.T
	ex      *fake
	cfg     Config
	signals chan os.Signal
	stdout  safeBuffer
	stderr  safeBuffer
	events  safeBuffer
}

// setup makes a run of a job file that stands in a folder of its own.
func setup(t *testing.T, file string) *trial {
	t.Helper()
	dir := t.TempDir()
	f, err := config.Parse(filepath.Join(dir, "job.yaml"), []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{t: t, ex: &fake{auto: okBut()}}
	tr.cfg = Config{
		File: f, Executor: tr.ex, Workers: 2, Drain: 30 * time.Second, Output: f.Output, Halt: f.Halt,
		Settings: Settings{Environ: []string{"PATH=/bin", "ITEM=stale"}},
		Stdout:   &tr.stdout, Stderr: &tr.stderr, Events: &tr.events,
	}
	return tr
}

// write makes a file in the folder of the job file.
func (tr *trial) write(name, text string) {
	tr.t.Helper()
	if err := os.WriteFile(filepath.Join(tr.cfg.File.Dir, name), []byte(text), 0o600); err != nil {
		tr.t.Fatal(err)
	}
}

// run runs it to its end, in a bubble of time, and checks what holds for every
// run.
func (tr *trial) run() (rep *Report) {
	tr.t.Helper()
	synctest.Test(tr.t, func(*testing.T) { rep = Run(context.Background(), tr.cfg) })
	tr.check(rep)
	return rep
}

// steer runs it while the test does something, in a bubble of time.
func (tr *trial) steer(act func()) (rep *Report) {
	tr.t.Helper()
	synctest.Test(tr.t, func(*testing.T) {
		tr.signals = make(chan os.Signal, 4)
		tr.cfg.Signals = tr.signals
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			rep = Run(context.Background(), tr.cfg)
		}()
		synctest.Wait()
		act()
		<-ended
	})
	tr.check(rep)
	return rep
}

// check holds a run to what every run owes: one record for each instance that
// was started or skipped, and totals that add up.
func (tr *trial) check(rep *Report) {
	tr.t.Helper()
	if !tr.ex.closed {
		tr.t.Error("the executor was not closed")
	}
	x := rep.Totals
	if sum := x.OK + x.Failed + x.Crashed + x.Timeout + x.Limit + x.Cancelled + x.Skipped + x.Poisoned + x.Protocol + x.Internal; sum != x.Jobs {
		tr.t.Errorf("jobs is %d, the outcomes add up to %d", x.Jobs, sum)
	}
	if tr.cfg.Events == nil {
		return
	}
	ends := map[string]int{}
	n := x.Resumed // of which there are no events
	for _, e := range tr.eventList() {
		if e["event"] == "job.end" {
			n++
			b, _ := json.Marshal([]any{e["job"], e["index"]})
			if ends[string(b)]++; ends[string(b)] > 1 {
				tr.t.Errorf("a second record of %s", b)
			}
		}
	}
	if n != x.Jobs {
		tr.t.Errorf("%d job.end events for %d jobs", n, x.Jobs)
	}
}

func (tr *trial) eventList() (list []map[string]any) {
	tr.t.Helper()
	dec := json.NewDecoder(strings.NewReader(tr.events.String()))
	for {
		var e map[string]any
		err := dec.Decode(&e)
		if err == io.EOF {
			return list
		}
		if err != nil {
			tr.t.Fatalf("event %d: %v", len(list), err)
		}
		list = append(list, e)
	}
}

// safeBuffer may be written and read by several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func saying(s string) *pool.Result {
	r := ok()
	r.Value = appendString(nil, s)
	return r
}

// settleDown waits until nothing moves in the bubble.
func settleDown() { synctest.Wait() }

func (f *fake) dead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.killed
}
