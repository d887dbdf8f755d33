//go:build unix

package pool_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

func newBench(b *testing.B, workers int) *pool.Pool {
	p, err := pool.New(context.Background(), pool.Config{Workers: workers})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	pool.Call(context.Background(), p, noop, 1)
	return p
}

// pong is the other side of BenchmarkPingPong and BenchmarkPipeEcho1MiB: it sends
// back messages of a size, each when it has come whole.
func pong(size int) {
	buf := make([]byte, size)
	for {
		for n := 0; n < len(buf); {
			m, err := syscall.Read(0, buf[n:])
			if m <= 0 || err != nil {
				os.Exit(0)
			}
			n += m
		}
		for n := 0; n < len(buf); {
			m, err := syscall.Write(1, buf[n:])
			if err != nil {
				os.Exit(0)
			}
			n += m
		}
	}
}

const pongEnv = "POOL_TEST_PONG"

func init() {
	roles = append(roles, func() {
		if size, err := strconv.Atoi(os.Getenv(pongEnv)); err == nil {
			pong(size)
		}
	})
}

// floor sends messages of a size to another process and back over two pipes,
// with blocking system calls on both sides and nothing else.
func floor(b *testing.B, size int) {
	var in, out [2]int
	if err := syscall.Pipe(in[:]); err != nil {
		b.Fatal(err)
	}
	if err := syscall.Pipe(out[:]); err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	childIn, childOut := os.NewFile(uintptr(in[0]), "in"), os.NewFile(uintptr(out[1]), "out")
	for _, fd := range []int{in[1], out[0]} {
		syscall.CloseOnExec(fd)
		widenPipe(fd)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), pongEnv+"="+strconv.Itoa(size))
	cmd.Stdin, cmd.Stdout = childIn, childOut
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	childIn.Close()
	childOut.Close()
	buf := make([]byte, size)
	var laps laps
	for b.Loop() {
		laps.begin()
		for n := 0; n < size; {
			m, err := syscall.Write(in[1], buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += m
		}
		for n := 0; n < size; {
			m, err := syscall.Read(out[0], buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += m
		}
		laps.end()
	}
	laps.report(b)
	syscall.Close(in[1])
	syscall.Close(out[0])
	cmd.Wait()
}

// laps are single durations, of which a mean says little where other processes
// get in between.
type laps struct {
	all   []time.Duration
	start time.Time
}

func (l *laps) begin() { l.start = time.Now() }
func (l *laps) end()   { l.all = append(l.all, time.Since(l.start)) }

func (l *laps) report(b *testing.B) {
	slices.Sort(l.all)
	n := len(l.all)
	b.ReportMetric(float64(l.all[n/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(l.all[n*99/100].Nanoseconds())/1e3, "p99-µs")
}

// BenchmarkPingPong is the floor of BenchmarkCall.
func BenchmarkPingPong(b *testing.B) { floor(b, 96) }

// BenchmarkPipeEcho1MiB is the floor of BenchmarkEcho1MiB.
func BenchmarkPipeEcho1MiB(b *testing.B) {
	b.SetBytes(1 << 20)
	floor(b, 1<<20)
}

// BenchmarkCall is one job in flight: a round trip.
func BenchmarkCall(b *testing.B) { benchCall(b, 64) }

// BenchmarkEcho1MiB is one job in flight with a large argument and result.
func BenchmarkEcho1MiB(b *testing.B) {
	b.SetBytes(1 << 20)
	benchCall(b, 1<<20)
}

// BenchmarkEcho60MiB is one job with an argument and a result of nearly the length
// that is allowed.
func BenchmarkEcho60MiB(b *testing.B) {
	b.SetBytes(60 << 20)
	benchCall(b, 60<<20)
}

// BenchmarkPipeEcho60MiB is its floor.
func BenchmarkPipeEcho60MiB(b *testing.B) {
	b.SetBytes(60 << 20)
	floor(b, 60<<20)
}

func benchCall(b *testing.B, size int) {
	p := newBench(b, 2)
	in := make([]byte, size)
	ctx := context.Background()
	var laps laps
	b.ReportAllocs()
	for b.Loop() {
		laps.begin()
		if _, err := pool.Call(ctx, p, echo, in); err != nil {
			b.Fatal(err)
		}
		laps.end()
	}
	laps.report(b)
}

// BenchmarkSubmit is 64-byte jobs, 4096 of them in flight.
func BenchmarkSubmit(b *testing.B) {
	p := newBench(b, 2)
	in := make([]byte, 64)
	ctx := context.Background()
	const depth = 4096
	futures := make([]*pool.Future[[]byte], depth)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		slot := i % depth
		if f := futures[slot]; f != nil {
			if _, err := f.Result(ctx); err != nil {
				b.Fatal(err)
			}
		}
		f, err := pool.Submit(ctx, p, echo, in)
		if err != nil {
			b.Fatal(err)
		}
		futures[slot] = f
		i++
	}
	for _, f := range futures {
		if f != nil {
			f.Result(ctx)
		}
	}
}

// BenchmarkGo is the same without futures.
func BenchmarkGo(b *testing.B) {
	p := newBench(b, 2)
	payload, _ := echo.EncodeIn(nil, make([]byte, 64))
	var wg sync.WaitGroup
	room := make(chan *pool.Job, 4096)
	for range cap(room) {
		room <- &pool.Job{Task: echo.Name(), Payload: payload, Done: func(j *pool.Job, _ *pool.Result) {
			wg.Done()
			room <- j
		}}
	}
	b.ReportAllocs()
	for b.Loop() {
		j := <-room
		wg.Add(1)
		if err := p.Go(j); err != nil {
			b.Fatal(err)
		}
	}
	wg.Wait()
}

// BenchmarkCommand is /bin/true, as many at a time as there are slots.
func BenchmarkCommand(b *testing.B) {
	p := newBench(b, 2)
	room := make(chan struct{}, 8)
	for b.Loop() {
		room <- struct{}{}
		p.Go(&pool.Job{Command: &pool.Command{Argv: []string{"/bin/true"}}, Done: func(*pool.Job, *pool.Result) { <-room }})
	}
	for range cap(room) {
		room <- struct{}{}
	}
}
