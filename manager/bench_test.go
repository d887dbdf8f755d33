package manager_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

// lockTimes acquires and releases a lock that nobody else wants, and returns how
// long that took.
var lockTimes = task.Define("lockTimes", func(ctx context.Context, n int) (time.Duration, error) {
	lock, err := manager.Lock(ctx, "bench")
	if err != nil {
		return 0, err
	}
	start := time.Now()
	for range n {
		if _, err := lock.Acquire(ctx); err != nil {
			return 0, err
		}
		if err := lock.Release(ctx); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
})

// askTimes makes calls that do nothing, and returns how long they took: the round
// trip of the link that a lock uses.
var askTimes = task.Define("askTimes", func(ctx context.Context, n int) (time.Duration, error) {
	event, err := manager.Event(ctx, "bench event")
	if err != nil {
		return 0, err
	}
	start := time.Now()
	for range n {
		if _, err := event.IsSet(ctx); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
})

// give is the job that the others are compared with: 64 bytes go there, and come
// back.
var give = task.Define("give", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })

// stream says what a worker does with the bench queue.
type stream struct {
	Queue string
	N     int
}

func (s *stream) open(ctx context.Context) (*queue.Queue[[]byte], error) {
	return manager.Queue[[]byte](ctx, s.Queue)
}

// putTimes puts n items of 64 bytes.
var putTimes = task.Define("putTimes", func(ctx context.Context, s stream) (int, error) {
	q, err := s.open(ctx)
	if err != nil {
		return 0, err
	}
	item := make([]byte, 62) // 64 with their head
	for range s.N {
		if err := q.Put(ctx, item); err != nil {
			return 0, err
		}
	}
	return s.N, nil
})

// getTimes gets n items.
var getTimes = task.Define("getTimes", func(ctx context.Context, s stream) (int, error) {
	q, err := s.open(ctx)
	if err != nil {
		return 0, err
	}
	for range s.N {
		if _, err := q.Get(ctx); err != nil {
			return 0, err
		}
	}
	return s.N, nil
})

// rawEcho makes the program answer every frame of its stdin, with nothing of this
// project above the link.
const rawEcho = "MANAGER_TEST_RAW_ECHO"

// echoFrames is the peer of a raw round trip: pings come, pongs go.
func echoFrames() {
	l := ipc.NewLink(os.NewFile(3, "in"), os.NewFile(4, "out"))
	l.Reader().Spin(func() bool { return true })
	msgs := make([][]byte, 16)
	for {
		n, err := l.GetBatch(context.Background(), msgs)
		if err != nil {
			os.Exit(0)
		}
		if _, err := l.PutBatch(context.Background(), msgs[:n]); err != nil {
			os.Exit(1)
		}
	}
}

// rawLink starts a process that answers frames, over a link like a worker's.
func rawLink(b *testing.B) *ipc.Link {
	b.Helper()
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), rawEcho+"=1", "GOMAXPROCS=1")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	l := ipc.NewLink(ourIn, ourOut)
	l.Reader().Spin(func() bool { return true })
	b.Cleanup(func() {
		l.Close()
		cmd.Wait()
	})
	return l
}

// inProcess runs a task in a process of its own.
func inProcess[In, Out any](ctx context.Context, m *manager.Manager, t task.Task[In, Out], in In) (out Out, err error) {
	c := process.New(t, in, process.WithManager(m))
	if err = c.Start(ctx); err != nil {
		return out, err
	}
	if out, err = c.Result(ctx); err != nil {
		return out, err
	}
	return out, errors.Join(c.Join(ctx), c.Close())
}

// turn is how many of one kind are measured before the next kind has its turn.
const turn = 2000

// An acquire takes a round trip, a release none: together they should take hardly
// more than a job does. So these are measured in turns: a pair in a job, a pair in
// a process, a job that does nothing, a call that does nothing, and a bare frame
// between two processes that do nothing else.
func BenchmarkLock(b *testing.B) {
	s := setup(b, 2)
	if _, err := manager.NewEvent(s.m, "bench event"); err != nil {
		b.Fatal(err)
	}
	if _, err := manager.NewLock(s.m, "bench"); err != nil {
		b.Fatal(err)
	}
	raw := rawLink(b)
	ping, got := ipc.AppendPing(nil, 1), make([][]byte, 1)
	payload := make([]byte, 62)
	ctx := context.Background()
	kinds := []struct {
		name string
		took func() (time.Duration, error) // for a turn
		all  []time.Duration
	}{
		{name: "frame", took: func() (time.Duration, error) {
			start := time.Now()
			for range turn {
				if _, err := raw.PutBatch(ctx, [][]byte{ping}); err != nil {
					return 0, err
				}
				if _, err := raw.GetBatch(ctx, got); err != nil {
					return 0, err
				}
			}
			return time.Since(start), nil
		}},
		{name: "job", took: func() (time.Duration, error) {
			start := time.Now()
			for range turn {
				if _, err := pool.Call(ctx, s.p, give, payload); err != nil {
					return 0, err
				}
			}
			return time.Since(start), nil
		}},
		{name: "call", took: func() (time.Duration, error) { return pool.Call(ctx, s.p, askTimes, turn) }},
		{name: "pair", took: func() (time.Duration, error) { return pool.Call(ctx, s.p, lockTimes, turn) }},
		{name: "pair-in-process", took: func() (time.Duration, error) {
			return inProcess(ctx, s.m, lockTimes, turn)
		}},
	}
	for b.Loop() {
		for i := range kinds {
			took, err := kinds[i].took()
			if err != nil {
				b.Fatal(err)
			}
			kinds[i].all = append(kinds[i].all, took/turn)
		}
	}
	b.ReportMetric(0, "ns/op")
	medians := map[string]float64{}
	for _, k := range kinds {
		slices.Sort(k.all)
		medians[k.name] = float64(k.all[len(k.all)/2].Nanoseconds())
		b.ReportMetric(medians[k.name], "ns/"+k.name)
	}
	b.ReportMetric(medians["pair"]/medians["job"], "pair/job")
	b.ReportMetric(medians["pair-in-process"]/medians["job"], "process/job")
}

// turnsOf takes the lock n times, and computes for 200 µs after each.
var turnsOf = task.Define("turnsOf", func(ctx context.Context, n int) (int, error) {
	lock, err := manager.Lock(ctx, "bench")
	if err != nil {
		return 0, err
	}
	for range n {
		if _, err := lock.Acquire(ctx); err != nil {
			return 0, err
		}
		if err := lock.Release(ctx); err != nil {
			return 0, err
		}
		for start := time.Now(); time.Since(start) < 200*time.Microsecond; {
		}
	}
	return n, nil
})

// Two workers want the lock, and have other things to do between.
func BenchmarkLock_Contended(b *testing.B) {
	s := setup(b, 2)
	if _, err := manager.NewLock(s.m, "bench"); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		var futures [2]*pool.Future[int]
		for i := range futures {
			f, err := pool.Submit(s.ctx, s.p, turnsOf, turn)
			if err != nil {
				b.Fatal(err)
			}
			futures[i] = f
		}
		for _, f := range futures {
			if _, err := f.Result(s.ctx); err != nil {
				b.Fatal(err)
			}
		}
		n += len(futures) * turn
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "turns/s")
}

// Items of 64 bytes, put and got one by one.
func BenchmarkQueue(b *testing.B) {
	const items = 100_000
	take := func(s *bundle, q *queue.Queue[[]byte]) error {
		for range items {
			if _, err := q.Get(s.ctx); err != nil {
				return err
			}
		}
		return nil
	}
	wait := func(s *bundle, f *pool.Future[int]) error {
		_, err := f.Result(s.ctx)
		return err
	}
	for _, way := range []struct {
		name    string
		workers int
		move    func(s *bundle, q *queue.Queue[[]byte], do stream) error
	}{
		{"FromWorker", 1, func(s *bundle, q *queue.Queue[[]byte], do stream) error {
			f, err := pool.Submit(s.ctx, s.p, putTimes, do)
			if err != nil {
				return err
			}
			return errors.Join(take(s, q), wait(s, f))
		}},
		{"FromWorkerAll", 1, func(s *bundle, q *queue.Queue[[]byte], do stream) error {
			f, err := pool.Submit(s.ctx, s.p, putTimes, do)
			if err != nil {
				return err
			}
			n := 0
			for _, err := range q.All(s.ctx) {
				if n++; err != nil || n == items {
					return errors.Join(err, wait(s, f))
				}
			}
			return io.ErrUnexpectedEOF
		}},
		{"FromProcess", 1, func(s *bundle, q *queue.Queue[[]byte], do stream) error {
			got := make(chan error, 1)
			go func() { got <- take(s, q) }()
			_, err := inProcess(s.ctx, s.m, putTimes, do)
			return errors.Join(err, <-got)
		}},
		{"ToWorker", 1, func(s *bundle, q *queue.Queue[[]byte], do stream) error {
			f, err := pool.Submit(s.ctx, s.p, getTimes, do)
			if err != nil {
				return err
			}
			item := make([]byte, 62)
			for range items {
				if err := q.Put(s.ctx, item); err != nil {
					return err
				}
			}
			return wait(s, f)
		}},
		{"BetweenWorkers", 2, func(s *bundle, q *queue.Queue[[]byte], do stream) error {
			g, err := pool.Submit(s.ctx, s.p, getTimes, do)
			if err != nil {
				return err
			}
			f, err := pool.Submit(s.ctx, s.p, putTimes, do)
			if err != nil {
				return err
			}
			return errors.Join(wait(s, f), wait(s, g))
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			s := setup(b, way.workers)
			q, err := manager.NewQueue[[]byte](s.m, "bench queue", 0)
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				if err := way.move(s, q, stream{"bench queue", items}); err != nil {
					b.Fatal(err)
				}
				n += items
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
