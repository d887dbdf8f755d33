package pool_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

var failSoft = task.Define("fail_soft", func(_ context.Context, msg string) (int, error) { return 0, errors.New(msg) })

// runJob gives a job to the pool and returns how its last attempt ended.
func (b *bundle) runJob(j *pool.Job) pool.Result {
	b.Helper()
	out := make(chan pool.Result, 1)
	j.Done = func(_ *pool.Job, r *pool.Result) {
		c := *r
		c.Stdout, c.Stderr = pool.Output{}, pool.Output{}
		out <- c
	}
	if err := b.Go(j); err != nil {
		b.Fatal(err)
	}
	select {
	case r := <-out:
		return r
	case <-b.ctx.Done():
		b.Fatal("no end")
		return pool.Result{}
	}
}

func shell(script string, l *pool.Limits) *pool.Job {
	return &pool.Job{Command: &pool.Command{Argv: []string{"sh", "-c", script}, Env: []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}, Limits: l}}
}

func TestLimits_OfACommand(t *testing.T) {
	t.Parallel()
	breach := &spawn.Breach{Resource: "memory", Limit: 100, Observed: 110, EnforcedBy: "cgroup v2", Evidence: "oom_kill rose"}
	all := &pool.Limits{Memory: 100, CPU: time.Second, PIDs: 5, Files: 5, FileSize: 512}
	for name, c := range map[string]struct {
		script   string
		limits   *pool.Limits
		breach   *spawn.Breach
		change   func(*pool.Job)
		outcome  pool.Outcome
		which    string
		enforced string
		evidence string
	}{
		"breach":                  {"kill -9 $$", all, breach, nil, pool.Limited, "memory", "cgroup v2", "oom_kill rose"},
		"breach and exit code 0":  {"exit 0", all, breach, nil, pool.Limited, "memory", "cgroup v2", "oom_kill rose"},
		"SIGKILL from elsewhere":  {"kill -9 $$", all, nil, nil, pool.Crashed, "", "", "ended by SIGKILL, sender unknown"},
		"our kill wins":           {"sleep 60", all, breach, func(j *pool.Job) { j.Timeout = 50 * time.Millisecond }, pool.TimedOut, "", "", "did not end within its timeout of 50ms"},
		"files":                   {"ulimit -n 5; exec 3</dev/null 4</dev/null 5</dev/null", all, nil, nil, pool.Limited, "files", "rlimit", "ile"},
		"files without the limit": {"echo too many open files >&2; exit 1", &pool.Limits{PIDs: 5}, nil, nil, pool.Failed, "", "", "exit code 1"},
		"files, and all is well":  {"echo too many open files >&2", all, nil, nil, pool.OK, "", "", ""},
		"file size of a child":    {"ulimit -f 1; head -c 100000 /dev/zero > $TMPDIR/big; e=$?; rm -f $TMPDIR/big; exit $e", all, nil, nil, pool.Limited, "file_size", "rlimit", "SIGXFSZ"},
		"file size":               {"kill -XFSZ $$", all, nil, nil, pool.Limited, "file_size", "rlimit", "ended by SIGXFSZ"},
		"pids":                    {"echo 'sh: 1: Cannot fork' >&2; exit 2", all, nil, nil, pool.Limited, "pids", "rlimit", "it said: sh: 1: Cannot fork"},
		"memory":                  {"printf 'fatal error: runtime: out of memory\\n\\nruntime stack:\\n' >&2; exit 2", all, nil, nil, pool.Limited, "memory", "rlimit", "it said: fatal error: runtime: out of memory"},
		"machine out of memory":   {"kill -9 $$", &pool.Limits{PIDs: 50}, nil, nil, pool.Crashed, "oom", "", "ended by SIGKILL: the kernel was out of memory"},
		"no limits at all":        {"kill -9 $$", nil, nil, nil, pool.Crashed, "", "", "ended by SIGKILL, sender unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := pool.Config{Workers: 1}
			cfg.SetFakes(pool.Fakes{Status: func(st *spawn.Status) { st.Breach, st.OOM = c.breach, c.which == pool.WhichOOM }})
			b := setup(t, cfg)
			j := shell(c.script, c.limits)
			j.Command.Env = append(j.Command.Env, "TMPDIR="+t.TempDir())
			if c.change != nil {
				c.change(j)
			}
			r := b.runJob(j)
			if r.Outcome != c.outcome || r.Which != c.which || r.EnforcedBy != c.enforced || !strings.Contains(r.Evidence, c.evidence) {
				t.Errorf("%s (%s) by %q: %q, want %s (%s) by %q: %q", r.Outcome, r.Which, r.EnforcedBy, r.Evidence, c.outcome, c.which, c.enforced, c.evidence)
			}
			if (r.Limit > 0) != (c.outcome == pool.Limited) || (r.Observed > 0) != (r.Limit > 0) {
				t.Errorf("limit %d, observed %d", r.Limit, r.Observed)
			}
			var limit *pool.LimitError
			err := r.Err(j)
			if got := errors.Is(err, pool.ErrLimit) && errors.As(err, &limit) && limit.Which == c.which; got != (c.outcome == pool.Limited) {
				t.Errorf("error %v", err)
			}
			if r.CPU == 0 && r.Outcome == pool.OK || r.Peak == 0 || r.PeakSource != "ru_maxrss" {
				t.Errorf("cpu %v, peak %d from %q", r.CPU, r.Peak, r.PeakSource)
			}
		})
	}
}

func TestLimits_OutputIsThatOfTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, MaxOutput: 10 << 10})
	flooding := shell("head -c 5000 /dev/zero; sleep 60", &pool.Limits{Output: 1000})
	if r := b.runJob(flooding); r.Outcome != pool.Limited || r.Which != pool.WhichOutput || r.Limit != 1000 || r.Observed <= 1000 || r.EnforcedBy != "supervisor" {
		t.Errorf("%+v", r)
	}
	if r := b.runJob(shell("head -c 50000 /dev/zero", &pool.Limits{Output: 60000})); r.Outcome != pool.OK {
		t.Errorf("more than MaxOutput, and less than its own: %s: %s", r.Outcome, r.Evidence)
	}
	// A task that has answered before anybody looked.
	first, _ := pool.Call(b.ctx, b.Pool, pid, struct{}{}, pool.WithLimits(pool.Limits{Output: 1000}))
	_, err := pool.Call(b.ctx, b.Pool, printer, strings.Repeat("x", 600), pool.WithLimits(pool.Limits{Output: 1000}))
	var limit *pool.LimitError
	if !errors.As(err, &limit) || limit.Which != pool.WhichOutput || limit.Limit != 1000 || limit.Observed != 1201 {
		t.Errorf("error %v", err)
	}
	// One that goes on.
	_, err = pool.Call(b.ctx, b.Pool, flood, struct{}{}, pool.WithLimits(pool.Limits{Output: 1 << 20}))
	if !errors.As(err, &limit) || limit.Which != pool.WhichOutput || limit.Limit != 1<<20 || limit.Observed <= 1<<20 {
		t.Errorf("error %v", err)
	}
	second, err := pool.Call(b.ctx, b.Pool, pid, struct{}{}, pool.WithLimits(pool.Limits{Output: 1000}))
	if err != nil || first == second {
		t.Errorf("pid %d before and %d after, %v: who goes over a limit is replaced", first, second, err)
	}
}

// meter is a process that tells what it has used.
type meter struct {
	calls *syncBuffer
	cpu   time.Duration
}

func (m *meter) Mark() error {
	m.calls.Write([]byte("m"))
	return nil
}

func (m *meter) Measure() (spawn.Usage, error) {
	m.calls.Write([]byte("M"))
	return spawn.Usage{CPU: m.cpu, CPUSource: "a", Peak: 7, PeakSource: "b"}, nil
}

func TestLimits_EachJobOfAWorkerIsMarkedAndMeasured(t *testing.T) {
	t.Parallel()
	calls := new(syncBuffer)
	cfg := pool.Config{Workers: 1, Program: pool.Program{Limits: &pool.Limits{CPU: time.Minute}}}
	cfg.SetFakes(pool.Fakes{Usage: func(int) pool.Usage { return &meter{calls, time.Second} }})
	b := setup(t, cfg)
	const n = 50
	payload, _ := noop.EncodeIn(nil, 1)
	var done sync.WaitGroup
	for range n {
		done.Add(1)
		err := b.Go(&pool.Job{Task: noop.Name(), Payload: payload, Done: func(_ *pool.Job, r *pool.Result) {
			defer done.Done()
			if r.Outcome != pool.OK || r.CPU != time.Second || r.Peak != 7 || r.PeakSource != "b" {
				t.Errorf("%+v", *r)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	done.Wait()
	if got := calls.String(); got != strings.Repeat("mM", n) {
		t.Errorf("calls %s: a job at a time is marked, and then measured", got)
	}
}

// Who answers before a watchdog could look has gone over its limit all the same.
func TestLimits_UsageAtTheEndCounts(t *testing.T) {
	t.Parallel()
	for which, l := range map[string]pool.Limits{"cpu": {CPU: 10 * time.Millisecond}, "memory": {Memory: 6}, "": {CPU: time.Minute, Memory: 7}} {
		cfg := pool.Config{Workers: 1}
		cfg.SetFakes(pool.Fakes{Usage: func(int) pool.Usage { return &meter{new(syncBuffer), time.Second} }})
		b := setup(t, cfg)
		_, err := pool.Call(b.ctx, b.Pool, noop, 1, pool.WithLimits(l))
		var limit *pool.LimitError
		if errors.As(err, &limit) != (which != "") || limit != nil && (limit.Which != which || limit.Observed <= limit.Limit || limit.EnforcedBy != "supervisor") {
			t.Errorf("%q: %v", which, err)
		}
	}
}

// dying is a process that is being killed for what it has done before.
type dying struct {
	meter
	marks atomic.Int32
}

func (d *dying) Mark() error {
	if d.marks.Add(1) == 2 {
		return errors.New("process is being killed for a limit")
	}
	return nil
}

func TestLimits_NoJobGoesToAWorkerThatIsBeingKilledForOne(t *testing.T) {
	t.Parallel()
	d := &dying{meter: meter{calls: new(syncBuffer)}}
	cfg := pool.Config{Workers: 1}
	cfg.SetFakes(pool.Fakes{Usage: func(int) pool.Usage { return d }})
	b := setup(t, cfg)
	var pids []int
	for range 2 {
		n, err := pool.Call(b.ctx, b.Pool, pid, struct{}{}, pool.WithLimits(pool.Limits{PIDs: 100}))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, n)
	}
	if pids[0] == pids[1] {
		t.Errorf("both jobs ran in process %d", pids[0])
	}
}

func TestLimits_OfATask(t *testing.T) {
	t.Parallel()
	breach := &spawn.Breach{Resource: "cpu", Limit: int64(time.Second), Observed: int64(1100 * time.Millisecond), EnforcedBy: "watchdog", Evidence: "1.1 s"}
	limits := pool.Limits{CPU: time.Second, Files: 9}
	for name, c := range map[string]struct {
		run    func(b *bundle) error
		breach *spawn.Breach
		which  string
		worker bool // it is lost
	}{
		"breach": {func(b *bundle) error {
			_, err := pool.Call(b.ctx, b.Pool, raise, int(syscall.SIGKILL), pool.WithLimits(limits), pool.WithRetry(pool.Retry{Max: 3, NoBackoff: true, When: func(r *pool.Result) bool { return r.Outcome == pool.Limited }}))
			return err
		}, breach, "cpu", true},
		"SIGKILL from elsewhere": {func(b *bundle) error {
			_, err := pool.Call(b.ctx, b.Pool, raise, int(syscall.SIGKILL), pool.WithLimits(limits))
			return err
		}, nil, "", true},
		"timeout": {func(b *bundle) error {
			_, err := pool.Call(b.ctx, b.Pool, deaf, time.Minute, pool.WithLimits(limits), pool.WithTimeout(20*time.Millisecond), pool.WithKillAfter(20*time.Millisecond))
			if !errors.Is(err, pool.ErrTimeout) {
				b.Errorf("error %v", err)
			}
			return err
		}, breach, "", true},
		"what it says": {func(b *bundle) error {
			_, err := pool.Call(b.ctx, b.Pool, failSoft, "open x: too many open files", pool.WithLimits(limits))
			var failed *pool.TaskError
			if !errors.As(err, &failed) {
				b.Errorf("error %v", err)
			}
			return err
		}, nil, "files", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := pool.Config{Workers: 1}
			cfg.SetFakes(pool.Fakes{Status: func(st *spawn.Status) {
				if st.Signal == syscall.SIGKILL || st.Signal == syscall.SIGQUIT {
					st.Breach = c.breach
				}
			}})
			b := setup(t, cfg)
			err := c.run(b)
			var limit *pool.LimitError
			var lost *pool.WorkerLostError
			switch {
			case c.which == "":
				if errors.Is(err, pool.ErrLimit) {
					t.Errorf("error %v", err)
				}
			case !errors.As(err, &limit) || limit.Which != c.which || limit.Limit == 0 || limit.Observed == 0:
				t.Errorf("error %v", err)
			case c.worker && !errors.As(err, &lost):
				t.Errorf("error %v is of no lost worker", err)
			case c.worker && limit.Attempt != 4:
				t.Errorf("attempt %d: a limit is no poison", limit.Attempt)
			}
			before := b.WorkersLost()
			if (before > 0) != c.worker {
				t.Errorf("%d workers lost", before)
			}
			if _, err := pool.Call(b.ctx, b.Pool, noop, 1, pool.WithLimits(limits)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLimits_WorkerIsReplacedBeforeItsOutputIsTooLargeAFile(t *testing.T) {
	t.Parallel()
	cfg := pool.Config{Workers: 1}
	cfg.SetFakes(pool.Fakes{})
	b := setup(t, cfg)
	limit := pool.WithLimits(pool.Limits{FileSize: 64 << 10})
	pids := map[int]bool{}
	for range 8 {
		got, err := pool.Call(b.ctx, b.Pool, pid, struct{}{}, limit)
		if err == nil {
			_, err = pool.Call(b.ctx, b.Pool, printer, strings.Repeat("x", 20<<10), limit)
		}
		if err != nil {
			t.Fatal(err)
		}
		pids[got] = true
	}
	if len(pids) != 4 {
		t.Errorf("%d workers have printed 8 times 20 KiB with files of 64, want one for each two", len(pids))
	}
}

func TestProgram_LimitsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	for _, p := range []pool.Program{
		{Limits: &pool.Limits{Memory: -1}},
		{Limits: &pool.Limits{CPU: -1}},
		{Limits: &pool.Limits{}, Threads: 2},
		{Isolation: pool.Sandbox + 1},
	} {
		err := b.Go(&pool.Job{Task: "noop", Program: &p, Done: func(*pool.Job, *pool.Result) {}})
		if !errors.Is(err, pool.ErrJob) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, c := range []pool.Command{{Limits: &pool.Limits{Output: -1}}, {Isolation: 9}} {
		c.Argv = []string{"true"}
		if err := b.Go(&pool.Job{Command: &c, Done: func(*pool.Job, *pool.Result) {}}); !errors.Is(err, pool.ErrJob) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := pool.Submit(b.ctx, b.Pool, noop, 1, pool.WithLimits(pool.Limits{Files: -1})); !errors.Is(err, pool.ErrJob) {
		t.Error(err)
	}
	if _, err := pool.Submit(b.ctx, b.Pool, noop, 1, pool.WithIsolation(9)); !errors.Is(err, pool.ErrJob) {
		t.Error(err)
	}
	for _, err := range pool.Map(b.ctx, b.Pool, noop, func(yield func(int) bool) { yield(1) }, pool.WithLimits(pool.Limits{Output: 1}), pool.Chunk(2)) {
		if !errors.Is(err, pool.ErrJob) {
			t.Error(err)
		}
	}
}

func TestLimits_EqualOnesShareWorkers(t *testing.T) {
	t.Parallel()
	cfg := pool.Config{Workers: 1}
	cfg.SetFakes(pool.Fakes{})
	b := setup(t, cfg)
	ask := func(l pool.Limits) int {
		n, err := pool.Call(b.ctx, b.Pool, pid, struct{}{}, pool.WithLimits(l))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first, same, other := ask(pool.Limits{PIDs: 50}), ask(pool.Limits{PIDs: 50}), ask(pool.Limits{PIDs: 51})
	if first != same || first == other {
		t.Errorf("pids %d and %d with equal limits, %d with another", first, same, other)
	}
}

// refusal is a guardian's that cannot do a part.
func refusal(detail string) error {
	return &spawn.StartError{Path: "/x", Op: "confine", Detail: detail, Err: syscall.EOPNOTSUPP}
}

func TestConfine_RefusalEndsTheClassAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	var starts atomic.Int32
	b.Refuse(func(s *spawn.Spec) error {
		if s.Level != pool.Sandbox {
			return nil
		}
		starts.Add(1)
		return refusal("seccomp: not in this kernel")
	})
	var futures []*pool.Future[int]
	for i := range 20 {
		futures = append(futures, submit(b, noop, i, pool.WithIsolation(pool.Sandbox), pool.WithRetry(pool.Retry{Max: 5, NoBackoff: true})))
	}
	for _, f := range futures {
		_, err := f.Result(b.ctx)
		var confine *pool.ConfineError
		if !errors.As(err, &confine) || !errors.Is(err, pool.ErrConfine) || confine.Part != "seccomp" || errors.Is(err, pool.ErrRestartLimit) {
			t.Fatalf("error %v", err)
		}
	}
	if n := starts.Load(); n > 2 { // one for each slot
		t.Errorf("%d starts", n)
	}
	j := shell("true", nil)
	j.Command.Isolation = pool.Sandbox
	j.Retry = pool.Retry{Max: 3, NoBackoff: true}
	if r := b.runJob(j); r.Outcome != pool.Failed || r.Which != pool.WhichConfine || r.Attempt != 1 || !errors.Is(r.Err(j), pool.ErrConfine) {
		t.Errorf("%+v", r)
	}
	if got, err := pool.Call(b.ctx, b.Pool, noop, 3); got != 3 || err != nil {
		t.Errorf("another class: %d, %v", got, err)
	}
	if n := b.WorkersLost(); n > 0 {
		t.Errorf("%d workers lost, and none was there", n)
	}
}

func TestConfine_BestEffortLeavesOutWhatCannotBe(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	b := setup(t, pool.Config{Workers: 1, Logger: hclog.New(&hclog.LoggerOptions{Output: &log})})
	var asked []spawn.Limits
	b.Refuse(func(s *spawn.Spec) error {
		if s.Limits == nil {
			return nil
		}
		asked = append(asked, *s.Limits)
		switch {
		case s.Limits.Memory > 0:
			return refusal("memory: no controller")
		case s.Limits.CPU > 0:
			return refusal("nothing works here")
		}
		return nil
	})
	l := &pool.Limits{Memory: 1 << 30, CPU: time.Minute, BestEffort: true}
	for range 3 {
		if r := b.runJob(shell("true", l)); r.Outcome != pool.OK {
			t.Errorf("%s: %s", r.Outcome, r.Evidence)
		}
	}
	if len(asked) != 2 || asked[0].Memory == 0 || asked[1].Memory != 0 || asked[1].CPU == 0 {
		t.Errorf("asked for %+v: what was refused once is not asked for again", asked)
	}
	if n := strings.Count(log.String(), "limit is not enforced"); n != 2 {
		t.Errorf("%d warnings of 2 limits:\n%s", n, log.String())
	}
	strict := *l
	strict.BestEffort = false
	if r := b.runJob(shell("true", &strict)); r.Which != pool.WhichConfine {
		t.Errorf("%s (%s): %s", r.Outcome, r.Which, r.Evidence)
	}
	// It may well be the level that is refused.
	j := shell("true", l)
	j.Command.Isolation = pool.Namespaces
	b.Refuse(func(s *spawn.Spec) error { return refusal("user namespaces are off") })
	if r := b.runJob(j); r.Which != pool.WhichConfine {
		t.Errorf("%s (%s): %s", r.Outcome, r.Which, r.Evidence)
	}
}
