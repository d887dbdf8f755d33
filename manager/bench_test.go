package manager_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
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

// putTimes puts n items of 64 bytes.
var putTimes = task.Define("putTimes", func(ctx context.Context, n int) (int, error) {
	q, err := manager.Queue[[]byte](ctx, "bench queue")
	if err != nil {
		return 0, err
	}
	item := make([]byte, 62) // 64 with their head
	for range n {
		if err := q.Put(ctx, item); err != nil {
			return 0, err
		}
	}
	return n, nil
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

// An acquire takes a round trip, a release none: together they should take hardly
// more than a raw round trip, which is measured in turns with them: that of a call
// that does nothing over the same link, and that of a bare frame between two
// processes that do nothing else.
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
	const turn = 2000
	var lockTook, rawTook, askTook time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		for range turn {
			if _, err := raw.PutBatch(s.ctx, [][]byte{ping}); err != nil {
				b.Fatal(err)
			}
			if _, err := raw.GetBatch(context.Background(), got); err != nil {
				b.Fatal(err)
			}
		}
		rawTook += time.Since(start)
		took, err := pool.Call(s.ctx, s.p, lockTimes, turn)
		if err != nil {
			b.Fatal(err)
		}
		lockTook += took
		if took, err = pool.Call(s.ctx, s.p, askTimes, turn); err != nil {
			b.Fatal(err)
		}
		askTook += took
		n += turn
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(rawTook.Nanoseconds())/float64(n), "ns/frame")
	b.ReportMetric(float64(askTook.Nanoseconds())/float64(n), "ns/call")
	b.ReportMetric(float64(lockTook.Nanoseconds())/float64(n), "ns/lock+release")
	b.ReportMetric(float64(lockTook)/float64(rawTook), "lock/frame")
	b.ReportMetric(float64(lockTook)/float64(askTook), "lock/call")
}

// Items of 64 bytes from a worker to the supervisor.
func BenchmarkQueue_FromWorker(b *testing.B) {
	s := setup(b, 1)
	q, err := manager.NewQueue[[]byte](s.m, "bench queue", 0)
	if err != nil {
		b.Fatal(err)
	}
	const turn = 50_000
	n := 0
	for b.Loop() {
		f, err := pool.Submit(s.ctx, s.p, putTimes, turn)
		if err != nil {
			b.Fatal(err)
		}
		for range turn {
			if _, err := q.Get(s.ctx); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := f.Result(s.ctx); err != nil {
			b.Fatal(err)
		}
		n += turn
	}
	if err := q.Close(); err != nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "items/s")
}
