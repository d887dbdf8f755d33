package batch

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// files of n jobs, one instance each.
func chainOf(n int) string {
	var b strings.Builder
	b.WriteString("jobs:\n  - {id: j0, run: [x]}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  - {id: j%d, run: [x], needs: j%d}\n", i, i-1)
	}
	return b.String()
}

func fanOf(n int) string {
	var b strings.Builder
	b.WriteString("jobs:\n  - {id: j0, run: [x]}\n")
	for i := 1; i < n-1; i++ {
		fmt.Fprintf(&b, "  - {id: j%d, run: [x], needs: j0}\n", i)
	}
	b.WriteString("  - {id: last, run: [x], needs: [")
	for i := range n - 1 {
		fmt.Fprintf(&b, "j%d, ", i)
	}
	b.WriteString("]}\n")
	return b.String()
}

// belt is an executor in a bubble that ends instances one by one, in the order in
// which they came, and each when the run has seen to the one before.
type belt struct {
	instant
	mu     sync.Mutex
	more   sync.Cond
	queue  []*Instance
	o      Observer
	closed bool
	ended  chan struct{}
}

func newBelt() *belt {
	b := &belt{ended: make(chan struct{})}
	b.more.L = &b.mu
	go func() {
		defer close(b.ended)
		b.mu.Lock()
		defer b.mu.Unlock()
		for {
			for len(b.queue) == 0 {
				if b.closed {
					return
				}
				b.more.Wait()
			}
			in := b.queue[0]
			b.queue = b.queue[1:]
			b.mu.Unlock()
			b.o.Started(in, Attempt{Number: 1, Slot: 1, PID: 1})
			b.o.Done(in, ok())
			synctest.Wait()
			b.mu.Lock()
		}
	}()
	return b
}

func (b *belt) Submit(in *Instance, o Observer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.o, b.queue = o, append(b.queue, in)
	b.more.Signal()
	return nil
}

func (b *belt) Close(context.Context) Closing {
	b.mu.Lock()
	b.closed = true
	b.more.Signal()
	b.mu.Unlock()
	<-b.ended
	return Closing{}
}

// What a run costs grows as the number of its jobs does, also with instances that
// end one by one while the window is full.
func TestRun_ManyJobsTakeLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("runs files of 100,000 jobs")
	}
	for name, file := range map[string]func(int) string{"chain": chainOf, "fan": fanOf} {
		t.Run(name, func(t *testing.T) {
			took := func(n int) time.Duration {
				tr := setup(t, file(n))
				tr.cfg.Events = nil
				from := time.Now()
				synctest.Test(t, func(t *testing.T) {
					tr.cfg.Executor = newBelt()
					if rep := Run(t.Context(), tr.cfg); rep.Totals.OK != int64(n) {
						t.Fatalf("totals %+v", rep.Totals)
					}
				})
				return time.Since(from)
			}
			var small, large time.Duration
			for range 3 { // the machine may be busy with something else meanwhile
				if small, large = took(10_000), took(100_000); large < 20*small {
					t.Logf("10,000 jobs took %v, 100,000 took %v", small, large)
					return
				}
			}
			t.Errorf("10,000 jobs took %v, 100,000 took %v", small, large)
		})
	}
}
