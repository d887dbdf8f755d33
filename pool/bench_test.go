//go:build unix

package pool_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

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

// pong is the other side of BenchmarkPingPong: it sends back what comes.
func pong() {
	var buf [128]byte
	for {
		n, err := syscall.Read(0, buf[:])
		if n <= 0 || err != nil {
			os.Exit(0)
		}
		syscall.Write(1, buf[:n])
	}
}

const pongEnv = "POOL_TEST_PONG"

// BenchmarkPingPong is the floor of BenchmarkCall: 96 bytes there and back over
// two pipes, with blocking system calls in both processes and nothing else.
func BenchmarkPingPong(b *testing.B) {
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
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), pongEnv+"=1")
	cmd.Stdin, cmd.Stdout = childIn, childOut
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	childIn.Close()
	childOut.Close()
	var buf [96]byte
	for b.Loop() {
		if _, err := syscall.Write(in[1], buf[:]); err != nil {
			b.Fatal(err)
		}
		if _, err := syscall.Read(out[0], buf[:]); err != nil {
			b.Fatal(err)
		}
	}
	syscall.Close(in[1])
	syscall.Close(out[0])
	cmd.Wait()
}

// BenchmarkCall is one job in flight: a round trip.
func BenchmarkCall(b *testing.B) {
	p := newBench(b, 2)
	in := make([]byte, 64)
	ctx := context.Background()
	for b.Loop() {
		if _, err := pool.Call(ctx, p, echo, in); err != nil {
			b.Fatal(err)
		}
	}
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
