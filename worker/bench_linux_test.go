package worker

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/feac4032/multiproc/ipc"
)

// BenchmarkChild measures what a job costs the worker process, apart from its
// supervisor: worker-ns/op is its CPU time, user and system.
func BenchmarkChild(b *testing.B) {
	for _, c := range []struct {
		name   string
		window int
	}{{"window 1", 1}, {"window 1000", 1000}} {
		b.Run(c.name, func(b *testing.B) {
			w := spawnChild(b, "")
			w.hello.Credit = 0
			w.handshake()
			payload := encoded(bytes.Repeat([]byte("x"), 62))
			var sent, answered uint64
			batch := max(c.window/2, 1)
			var frame, buf []byte
			for b.Loop() {
				sent++
				frame = ipc.AppendJob(frame[:0], sent, "echo", 1, 0, "", "", payload)
				buf = ipc.AppendFrame(buf, frame)
				if sent%uint64(batch) != 0 {
					continue
				}
				w.w.Write(buf)
				buf = buf[:0]
				for sent-answered > uint64(c.window-batch) {
					body, err := w.r.Next()
					if err != nil {
						b.Fatal(err)
					}
					if m, _ := ipc.Parse(body); m.Kind == ipc.KindResult {
						answered++
					}
				}
			}
			w.w.Write(append(buf, ipc.AppendFrame(nil, ipc.AppendStop(nil))...))
			w.drain(answered)
			w.cmd.Wait()
			ps := w.cmd.ProcessState
			b.ReportMetric(float64(ps.UserTime()+ps.SystemTime())/float64(b.N), "worker-ns/op")
		})
	}
}

// BenchmarkPipe is the floor under window 1: a byte there and back through
// blocking pipes, with a process that does nothing else.
func BenchmarkPipe(b *testing.B) {
	cmd := exec.Command("cat")
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
	buf := make([]byte, 100)
	for b.Loop() {
		in.Write(buf)
		for n := 0; n < len(buf); {
			k, err := out.Read(buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += k
		}
	}
	in.Close()
	cmd.Wait()
}
