package pool_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/pool/pooltest"
	"github.com/feac4032/multiproc/task"
)

// matrixJobs are the jobs of a case; the one in the middle is the guilty one.
const (
	matrixJobs = 21
	guilty     = matrixJobs / 2
)

var matrixSizes = []int{1, 100 << 10, 16 << 20}

// verdictOn says what is wrong with the error of the guilty job, "" for nothing.
type verdictOn func(err error) string

func wantTaskError(stage task.Stage, panicked bool) verdictOn {
	return func(err error) string {
		var te *pool.TaskError
		switch {
		case !errors.As(err, &te) || !errors.Is(err, pooltest.ErrFault):
			return "want a TaskError that is ErrFault"
		case te.Job != "guilty" || te.Attempt != 1 || te.Failure.Stage != stage:
			return fmt.Sprintf("it names job %q, attempt %d, stage %q", te.Job, te.Attempt, te.Failure.Stage)
		case te.Failure.Panic != panicked || panicked != strings.Contains(te.Failure.Stack, "pooltest/how.go"):
			return fmt.Sprintf("panic %v, with the stack\n%s", te.Failure.Panic, te.Failure.Stack)
		}
		return ""
	}
}

func wantLost(code int, sig syscall.Signal) verdictOn {
	return func(err error) string {
		var lost *pool.WorkerLostError
		switch {
		case !errors.As(err, &lost):
			return "want a WorkerLostError"
		case lost.Job != "guilty" || lost.ExitCode != code || lost.Signal != int(sig) || lost.Outcome != pool.Crashed || lost.Poisoned:
			return fmt.Sprintf("it says %+v", lost)
		}
		return ""
	}
}

func wantValueError(panicked bool) verdictOn {
	return func(err error) string {
		var value *task.ValueError
		var p *task.PanicError
		if !errors.As(err, &value) || !errors.Is(err, pooltest.ErrFault) || errors.As(err, &p) != panicked {
			return fmt.Sprintf("want a ValueError that is ErrFault, with a panic: %v", panicked)
		}
		return ""
	}
}

// wantNothing is for what goes wrong after the result is there.
func wantNothing(err error) string {
	if err != nil {
		return "want none"
	}
	return ""
}

// cell is a case of the matrix, for all sizes.
type cell struct {
	at    pooltest.Stage
	by    pooltest.How
	lost  int // workers
	check verdictOn

	callback string                      // what the guilty job's does
	call     func(block <-chan struct{}) // and how
}

func (c *cell) String() string {
	if c.call != nil {
		return "callback that " + c.callback
	}
	return pooltest.Fault{At: c.at, By: c.by}.String()
}

func matrix() (cells []cell) {
	for _, s := range []struct {
		at    pooltest.Stage
		stage task.Stage
	}{
		{pooltest.DecodeArgument, task.StageArgument},
		{pooltest.Function, task.StageFunction},
		{pooltest.EncodeResult, task.StageResult},
	} {
		cells = append(cells,
			cell{at: s.at, by: pooltest.Error, check: wantTaskError(s.stage, false)},
			cell{at: s.at, by: pooltest.Panic, check: wantTaskError(s.stage, true)},
			cell{at: s.at, by: pooltest.Exit(0), lost: 1, check: wantLost(0, 0)},
			cell{at: s.at, by: pooltest.Exit(3), lost: 1, check: wantLost(3, 0)},
			cell{at: s.at, by: pooltest.Signal(syscall.SIGKILL), lost: 1, check: wantLost(-1, syscall.SIGKILL)},
			cell{at: s.at, by: pooltest.Signal(syscall.SIGSEGV), lost: 1, check: wantLost(-1, syscall.SIGSEGV)},
		)
	}
	return append(cells,
		cell{at: pooltest.DecodeResult, by: pooltest.Error, check: wantValueError(false)},
		cell{at: pooltest.DecodeResult, by: pooltest.Panic, check: wantValueError(true)},
		cell{callback: "is told an error", at: pooltest.Function, by: pooltest.Error, check: wantTaskError(task.StageFunction, false), call: func(<-chan struct{}) {}},
		cell{callback: "panics", check: wantNothing, call: func(<-chan struct{}) { panic(pooltest.ErrFault) }},
		cell{callback: "calls Goexit", check: wantNothing, call: func(<-chan struct{}) { runtime.Goexit() }},
		cell{callback: "blocks", check: wantNothing, call: func(block <-chan struct{}) { <-block }},
	)
}

// Whatever a job does to its worker or its caller, at any stage and of any size:
// it fails in the way that it did, its neighbours get what they would have got
// without it, and nothing hangs.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	sizes := matrixSizes
	if testing.Short() {
		sizes = sizes[:2] // under the race detector the largest take a minute
	}
	clean := map[int]func() [][sha256.Size]byte{}
	for _, size := range sizes {
		clean[size] = sync.OnceValue(func() (sums [][sha256.Size]byte) {
			m := startMatrix(t, size, &cell{})
			for i, f := range m.futures {
				sums = append(sums, m.sum(i, f))
			}
			m.end(0)
			return sums
		})
	}
	for _, c := range matrix() {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%v/%d", &c, size), func(t *testing.T) {
				t.Parallel()
				want := clean[size]()
				if len(want) != matrixJobs {
					t.Fatal("there is no clean run to compare with")
				}
				m := startMatrix(t, size, &c)
				for i, f := range m.futures {
					if i != guilty {
						if m.sum(i, f) != want[i] {
							t.Errorf("job %d returns something else than without the fault", i)
						}
						continue
					}
					_, err := f.Result(m.ctx)
					if wrong := c.check(err); wrong != "" {
						m.hung(err)
						t.Errorf("guilty job: %v: %s", err, wrong)
					}
				}
				m.end(c.lost)
			})
		}
	}
}

// matrixRun is one run of the jobs.
type matrixRun struct {
	*testing.T
	p       *pool.Pool
	ctx     context.Context
	faults  []pooltest.Fault
	futures []*pool.Future[pooltest.Reply]
	called  chan called
	began   time.Time
}

// called is one call of a future's callback.
type called struct {
	job int
	sum [sha256.Size]byte
	err error
}

// startMatrix submits the jobs to two workers that hold many at a time.
func startMatrix(t *testing.T, size int, c *cell) *matrixRun {
	cfg := pool.Config{Workers: 2}
	cfg.SetJobTime(func(time.Duration) time.Duration { return time.Microsecond }) // windows stay deep
	b := setup(t, cfg)
	var warm []*pool.Future[int]
	for i := range 500 { // windows begin at 1
		warm = append(warm, submit(b, noop, i))
	}
	for _, f := range warm {
		if _, err := f.Result(b.ctx); err != nil {
			t.Fatal(err)
		}
	}
	m := &matrixRun{T: t, p: b.Pool, called: make(chan called, 2*matrixJobs), began: time.Now()}
	block := make(chan struct{})
	t.Cleanup(func() { close(block) })
	ctx, cancel := context.WithTimeout(context.Background(), matrixLimit)
	t.Cleanup(cancel)
	m.ctx = ctx
	for i := range matrixJobs {
		job := pooltest.Fault{Size: size, Seed: uint64(i)}
		label := fmt.Sprint("innocent-", i)
		switch {
		case i == guilty:
			job.At, job.By = c.at, c.by
			label = "guilty"
		case size > 1<<20 && i != guilty-1 && i != guilty+1:
			job.Size = 1 + i*i // the large ones are three
		}
		m.faults = append(m.faults, job)
		f := submit(b, pooltest.Faulty, job, pool.WithLabel(label))
		m.futures = append(m.futures, f)
		f.OnDone(func(r pooltest.Reply, err error) {
			m.called <- called{i, sha256.Sum256(r.Payload), err}
			if i == guilty && c.call != nil {
				c.call(block)
			}
		})
	}
	return m
}

// sum waits for a right job, and returns the sum of what it returned.
func (m *matrixRun) sum(i int, f *pool.Future[pooltest.Reply]) [sha256.Size]byte {
	r, err := f.Result(m.ctx)
	if err != nil {
		m.hung(err)
		m.Errorf("job %d: %v", i, err)
	} else if !bytes.Equal(r.Payload, m.faults[i].Payload()) {
		m.Errorf("job %d returned %d bytes, which are not what was sent", i, len(r.Payload))
	}
	return sha256.Sum256(r.Payload)
}

// hung tells where everybody is if the case has taken too long.
func (m *matrixRun) hung(err error) {
	if m.ctx.Err() == nil || !errors.Is(err, m.ctx.Err()) {
		return
	}
	stacks := make([]byte, 1<<20)
	m.Fatalf("no result after %v\n%s", matrixLimit, stacks[:runtime.Stack(stacks, true)])
}

// end closes the pool, and looks at what the case has cost.
func (m *matrixRun) end(lost int) {
	m.calledBack()
	r := m.p.Shutdown(m.ctx)
	if took := time.Since(m.began); took > matrixLimit {
		m.Errorf("took %v", took)
	}
	if r.WorkersLost != lost || len(r.Leaked) > 0 || r.Cancelled > 0 {
		m.Errorf("%+v, want %d workers lost", r, lost)
	}
}

// calledBack sees to it that each job's callback is called once, with what Result
// returns.
func (m *matrixRun) calledBack() {
	times := make([]int, matrixJobs)
	for range matrixJobs {
		select {
		case c := <-m.called:
			times[c.job]++
			r, err := m.futures[c.job].Result(m.ctx)
			if fmt.Sprint(err) != fmt.Sprint(c.err) || c.sum != sha256.Sum256(r.Payload) {
				m.Errorf("job %d: its callback got %v, and Result returns %v", c.job, c.err, err)
			}
		case <-m.ctx.Done():
			m.hung(m.ctx.Err())
		}
	}
	for i, n := range times {
		if n != 1 {
			m.Errorf("the callback of job %d was called %d times", i, n)
		}
	}
	select {
	case c := <-m.called:
		m.Errorf("the callback of job %d was called once more", c.job)
	default:
	}
}
