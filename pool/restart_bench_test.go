//go:build unix

package pool_test

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// BenchmarkProcessStart is the floor of the two below: this same program, started
// by os/exec, up to its first answer over a pipe, and killed.
func BenchmarkProcessStart(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	var buf [1]byte
	for b.Loop() {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), pongEnv+"=1")
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		if _, err := in.Write(buf[:]); err != nil {
			b.Fatal(err)
		}
		if _, err := out.Read(buf[:]); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		cmd.Process.Kill()
		cmd.Wait()
		b.StartTimer()
	}
}

// BenchmarkRestart is the time from the SIGKILL of the worker that is busy in the
// only slot to the result of the next job in that slot.
func BenchmarkRestart(b *testing.B) { restart(b, 0) }

// BenchmarkRestartSpare is the same with a spare.
func BenchmarkRestartSpare(b *testing.B) { restart(b, 1) }

func restart(b *testing.B, spares int) {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1, Program: pool.Program{Spares: spares}})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	if err := p.Warm(ctx); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		begun, lost := make(chan int, 1), make(chan pool.Outcome, 1)
		payload, err := nap.EncodeIn(nil, time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Go(&pool.Job{
			Task: nap.Name(), Payload: payload,
			Started: func(_ *pool.Job, _, _ int, _ string, pid int) { begun <- pid },
			Done:    func(_ *pool.Job, r *pool.Result) { lost <- r.Outcome },
		}); err != nil {
			b.Fatal(err)
		}
		pid := <-begun
		next, err := pool.Submit(ctx, p, noop, 1)
		if err != nil {
			b.Fatal(err)
		}
		for idle := -1; idle < spares; {
			time.Sleep(10 * time.Millisecond) // until the job has begun, and the next is sent
			idle = 0
			for _, w := range p.Stats().Workers {
				if w.State == pool.WorkerIdle {
					idle++
				}
			}
		}
		b.StartTimer()
		syscall.Kill(pid, syscall.SIGKILL)
		if _, err := next.Result(ctx); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if o := <-lost; o != pool.Crashed {
			b.Fatalf("the killed job is %v", o)
		}
		b.StartTimer()
	}
}
