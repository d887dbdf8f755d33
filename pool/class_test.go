//go:build unix

package pool_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

func TestClasses_ShareSlots(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	var programs []*pool.Program
	for i := range 4 {
		programs = append(programs, &pool.Program{Env: append(os.Environ(), fmt.Sprint("CLASS=", i))})
	}
	var done sync.WaitGroup
	for i := range 400 {
		done.Add(1)
		payload, _ := environ.EncodeIn(nil, "CLASS")
		b.Go(&pool.Job{Task: environ.Name(), Payload: payload, Program: programs[i%4], Done: func(_ *pool.Job, r *pool.Result) {
			defer done.Done()
			if v, err := environ.DecodeOut(r.Value); err != nil || v != fmt.Sprint(i%4) {
				t.Errorf("job %d ran in class %q: %v %s", i, v, err, r.Evidence)
			}
		}})
	}
	done.Wait()
}

func TestClasses_NoneStarves(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	other := &pool.Program{Env: append(os.Environ(), "CLASS=other")}
	stop := make(chan struct{})
	var feeding sync.WaitGroup
	feeding.Go(func() { // one class has work without end
		for {
			select {
			case <-stop:
				return
			default:
				pool.Call(b.ctx, b.Pool, noop, 1)
			}
		}
	})
	for range 3 {
		feeding.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					pool.Call(b.ctx, b.Pool, noop, 1)
				}
			}
		})
	}
	payload, _ := environ.EncodeIn(nil, "CLASS")
	got := make(chan pool.Outcome, 2)
	b.Go(&pool.Job{Task: environ.Name(), Payload: payload, Program: other, Done: func(_ *pool.Job, r *pool.Result) { got <- r.Outcome }})
	b.Go(&pool.Job{Command: &pool.Command{Argv: []string{"true"}}, Done: func(_ *pool.Job, r *pool.Result) { got <- r.Outcome }})
	for range 2 {
		select {
		case o := <-got:
			if o != pool.OK {
				t.Errorf("outcome %s", o)
			}
		case <-time.After(20 * time.Second):
			t.Error("a job starves")
		}
	}
	close(stop)
	feeding.Wait()
}

func TestClasses_AreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	var done sync.WaitGroup
	for i := range 40 {
		done.Add(1)
		payload, _ := environ.EncodeIn(nil, "CLASS")
		prog := &pool.Program{Env: append(os.Environ(), fmt.Sprint("CLASS=", i))}
		b.Go(&pool.Job{Task: environ.Name(), Payload: payload, Program: prog, Done: func(_ *pool.Job, r *pool.Result) {
			defer done.Done()
			if v, err := environ.DecodeOut(r.Value); err != nil || v != fmt.Sprint(i) {
				t.Errorf("job %d ran in class %q: %v %s", i, v, err, r.Evidence)
			}
		}})
	}
	done.Wait()
	// Those remain whose workers are kept, the commands', and the pool's own.
	waitFor(t, func() bool { return b.Classes() <= 2+1+1 })
	if out, err := pool.Call(b.ctx, b.Pool, noop, 1); err != nil || out != 1 {
		t.Errorf("%d, %v", out, err)
	}
}
