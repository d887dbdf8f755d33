package pooltest_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/pool/pooltest"
	"github.com/feac4032/multiproc/task"
)

// open makes a pool of one worker.
func open(t *testing.T, cfg pool.Config) *pool.Pool {
	t.Helper()
	cfg.Workers = 1
	p, err := pool.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// right asks for a right job, and for its reply.
func right(t *testing.T, p *pool.Pool) pooltest.Reply {
	t.Helper()
	f := pooltest.Fault{Size: 1000, Seed: 1}
	r, err := pool.Call(t.Context(), p, pooltest.Faulty, f)
	if err != nil || !bytes.Equal(r.Payload, f.Payload()) {
		t.Fatalf("%d bytes, %v", len(r.Payload), err)
	}
	return r
}

// short ends what never ends, at the worker's stages.
var short = []pool.Option{pool.WithTimeout(100 * time.Millisecond), pool.WithKillAfter(50 * time.Millisecond)}

func isTaskError(stage task.Stage, cause error, panicked bool) func(error) bool {
	return func(err error) bool {
		var te *pool.TaskError
		return errors.As(err, &te) && errors.Is(err, cause) && te.Failure.Stage == stage && te.Failure.Panic == panicked
	}
}

func isLost(code int, sig syscall.Signal) func(error) bool {
	return func(err error) bool {
		var lost *pool.WorkerLostError
		return errors.As(err, &lost) && lost.ExitCode == code && lost.Signal == int(sig)
	}
}

func isTimeout(err error) bool { return errors.Is(err, pool.ErrTimeout) }

func TestFault_HappensWhereItShould(t *testing.T) {
	t.Parallel()
	type outcome struct {
		By   pooltest.How
		lost int // workers
		is   func(error) bool
	}
	check := func(f pooltest.Fault, want outcome) {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p := open(t, pool.Config{})
			f.Size = 100
			var opts []pool.Option
			if f.By == pooltest.Hang || f.By == pooltest.Stuck || f.By == pooltest.Freeze {
				opts = short
			}
			_, err := pool.Call(t.Context(), p, pooltest.Faulty, f, opts...)
			if !want.is(err) {
				t.Errorf("error %v", err)
			}
			right(t, p)
			if n := p.WorkersLost(); n != want.lost {
				t.Errorf("%d workers lost, want %d", n, want.lost)
			}
		})
	}
	for at, stage := range map[pooltest.Stage]task.Stage{
		pooltest.DecodeArgument: task.StageArgument,
		pooltest.Function:       task.StageFunction,
		pooltest.EncodeResult:   task.StageResult,
	} {
		for _, want := range []outcome{
			{pooltest.Error, 0, isTaskError(stage, pooltest.ErrFault, false)},
			{pooltest.Panic, 0, isTaskError(stage, pooltest.ErrFault, true)},
			{pooltest.Goexit, 0, func(err error) bool { return errors.Is(err, task.ErrGoexit) }},
			{pooltest.Exit(0), 1, isLost(0, 0)},
			{pooltest.Exit(255), 1, isLost(255, 0)},
			{pooltest.Signal(syscall.SIGKILL), 1, isLost(-1, syscall.SIGKILL)},
			{pooltest.Signal(syscall.SIGSEGV), 1, isLost(-1, syscall.SIGSEGV)},
			{pooltest.Signal(syscall.SIGTERM), 1, isLost(-1, syscall.SIGTERM)},
			{pooltest.Signal(syscall.SIGCHLD), 0, func(err error) bool { return err == nil }},
			{pooltest.Stuck, 1, isTimeout},
			{pooltest.Freeze, 1, isTimeout},
		} {
			check(pooltest.Fault{At: at, By: want.By}, want)
		}
	}
	check(pooltest.Fault{At: pooltest.Function, By: pooltest.Hang}, outcome{"", 0, isTimeout})
	check(pooltest.Fault{At: pooltest.DecodeArgument, By: pooltest.Hang}, outcome{"", 1, isTimeout})
	check(pooltest.Fault{At: pooltest.DecodeResult, By: pooltest.Error}, outcome{"", 0, func(err error) bool {
		var value *task.ValueError
		return errors.As(err, &value) && errors.Is(err, pooltest.ErrFault)
	}})
	check(pooltest.Fault{At: pooltest.DecodeResult, By: pooltest.Panic}, outcome{"", 0, func(err error) bool {
		var panicked *task.PanicError
		return errors.As(err, &panicked) && errors.Is(err, pooltest.ErrFault)
	}})
}

func TestFault_AfterResultCostsNoJob(t *testing.T) {
	t.Parallel()
	for _, by := range []pooltest.How{pooltest.Panic, pooltest.Exit(0), pooltest.Signal(syscall.SIGKILL)} {
		t.Run(string(by), func(t *testing.T) {
			t.Parallel()
			ends := make(chan pool.WorkerEvent, 1)
			p := open(t, pool.Config{OnWorker: func(e pool.WorkerEvent) {
				if e.Kind == pool.WorkerExited {
					ends <- e
				}
			}})
			first, err := pool.Call(t.Context(), p, pooltest.Faulty, pooltest.Fault{At: pooltest.AfterResult, By: by})
			if err != nil {
				t.Fatal(err)
			}
			if e := <-ends; e.PID != first.PID || e.Job != "" {
				t.Errorf("%+v", e)
			}
			if second := right(t, p); second.PID == first.PID {
				t.Errorf("process %d is still there", first.PID)
			}
		})
	}
}

// Neither the request to stop nor anything else but SIGKILL reaches it.
func TestFault_FrozenWorkerDoesNotHoldCloseUp(t *testing.T) {
	t.Parallel()
	p := open(t, pool.Config{})
	r, err := pool.Call(t.Context(), p, pooltest.Faulty, pooltest.Fault{At: pooltest.AfterResult, By: pooltest.Freeze})
	if err != nil {
		t.Fatal(err)
	}
	for state := ""; state != "T"; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.PID))
		_, fields, ok := strings.Cut(string(b), ") ")
		if err != nil || !ok {
			t.Fatal(string(b), err)
		}
		state = fields[:1]
	}
	start := time.Now()
	if err := p.Close(); err != nil || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestFault_TimesAreCountedOverProcesses(t *testing.T) {
	t.Parallel()
	p := open(t, pool.Config{})
	f := pooltest.Fault{At: pooltest.EncodeResult, By: pooltest.Exit(3), Times: 1, Dir: t.TempDir()}
	r, err := pool.Call(t.Context(), p, pooltest.Faulty, f, pool.WithRetry(pool.Retry{Max: 3, NoBackoff: true}))
	if err != nil || r.Attempt != 2 || p.WorkersLost() != 1 {
		t.Errorf("attempt %d, %v, %d workers lost", r.Attempt, err, p.WorkersLost())
	}
}

func TestFault_SizesArriveWhole(t *testing.T) {
	t.Parallel()
	p := open(t, pool.Config{})
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 32 << 20} {
		f := pooltest.Fault{Size: size, Seed: 7}
		r, err := pool.Call(t.Context(), p, pooltest.Faulty, f)
		if err != nil || !bytes.Equal(r.Payload, f.Payload()) || len(r.Payload) != size {
			t.Errorf("%d bytes of %d, %v", len(r.Payload), size, err)
		}
	}
	if a, b := (pooltest.Fault{Size: 8}), (pooltest.Fault{Size: 8, Seed: 1}); bytes.Equal(a.Payload(), b.Payload()) {
		t.Error("the seed changes nothing")
	}
}

func TestFault_OneThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	p := open(t, pool.Config{})
	for _, f := range []pooltest.Fault{
		{By: pooltest.Error},
		{At: pooltest.Function},
		{At: pooltest.Function, By: "to sleep"},
		{At: pooltest.Function, By: pooltest.Exit(256)},
		{At: pooltest.Function, By: pooltest.Exit(-1)},
		{At: "lunch", By: pooltest.Error},
		{At: pooltest.DecodeResult, By: pooltest.Exit(1)},
		{At: pooltest.AfterResult, By: pooltest.Error},
		{At: pooltest.AfterResult, By: pooltest.Stuck},
		{Size: -1},
		{Size: 32<<20 + 1},
		{Times: 1},
		{Times: -1, Dir: "."},
	} {
		if _, err := pool.Submit(t.Context(), p, pooltest.Faulty, f); !errors.Is(err, pooltest.ErrBadFault) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestProgram_FailsAtItsStart(t *testing.T) {
	t.Parallel()
	for by, evidence := range map[pooltest.How]string{
		pooltest.Panic:                   "code 2",
		pooltest.Exit(7):                 "code 7",
		pooltest.Signal(syscall.SIGKILL): "SIGKILL",
		pooltest.Signal(syscall.SIGSEGV): "SIGSEGV",
	} {
		t.Run(string(by), func(t *testing.T) {
			t.Parallel()
			ends := make(chan pool.WorkerEvent, 10)
			p := open(t, pool.Config{Program: pooltest.Program(t, by, 2), OnWorker: func(e pool.WorkerEvent) {
				if e.Kind == pool.WorkerExited {
					ends <- e
				}
			}})
			right(t, p) // by the third process
			if n := p.WorkersLost(); n != 2 {
				t.Errorf("%d workers lost", n)
			}
			for range 2 {
				if e := <-ends; !bytes.Contains([]byte(e.Evidence), []byte(evidence)) {
					t.Errorf("evidence %q, want %q", e.Evidence, evidence)
				}
			}
		})
	}
}

func TestFault_OfAnInitializer(t *testing.T) {
	t.Parallel()
	for _, by := range []pooltest.How{pooltest.Error, pooltest.Panic, pooltest.Exit(3), pooltest.Signal(syscall.SIGKILL)} {
		t.Run(string(by), func(t *testing.T) {
			t.Parallel()
			init, err := pool.InitWith(pooltest.Faulty, pooltest.Fault{At: pooltest.Function, By: by, Times: 2, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			right(t, open(t, pool.Config{Program: pool.Program{Init: init}})) // in the third worker

			always, err := pool.InitWith(pooltest.Faulty, pooltest.Fault{At: pooltest.DecodeArgument, By: by})
			if err != nil {
				t.Fatal(err)
			}
			p := open(t, pool.Config{Program: pool.Program{Init: always}, Restarts: 1})
			_, err = pool.Call(t.Context(), p, pooltest.Faulty, pooltest.Fault{})
			if !errors.Is(err, pool.ErrRestartLimit) || errors.Is(err, pooltest.ErrFault) != (by == pooltest.Error || by == pooltest.Panic) {
				t.Error(err)
			}
		})
	}
}

// Stopped, it answers no heartbeat, and is killed for that.
func TestFault_FrozenWorkerIsStuck(t *testing.T) {
	t.Parallel()
	p := open(t, pool.Config{Program: pool.Program{StuckAfter: 200 * time.Millisecond}})
	_, err := pool.Call(t.Context(), p, pooltest.Faulty, pooltest.Fault{At: pooltest.EncodeResult, By: pooltest.Freeze})
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) || lost.Which != pool.WhichStuck {
		t.Error(err)
	}
	right(t, p)
}

func TestProgram_ThatIsNeverReady(t *testing.T) {
	t.Parallel()
	for _, by := range []pooltest.How{pooltest.Stuck, pooltest.Freeze} {
		t.Run(string(by), func(t *testing.T) {
			t.Parallel()
			prog := pooltest.Program(t, by, 0)
			prog.StartTimeout = 50 * time.Millisecond
			p := open(t, pool.Config{Program: prog, Restarts: 1})
			_, err := pool.Call(t.Context(), p, pooltest.Faulty, pooltest.Fault{})
			if !errors.Is(err, pool.ErrRestartLimit) {
				t.Error(err)
			}
		})
	}
}
