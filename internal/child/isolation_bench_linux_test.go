package child

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

func TestMain(m *testing.M) {
	worker.Init()
	os.Exit(m.Run())
}

var _ = task.Define("benchNoop", func(context.Context, int) (int, error) { return 0, nil })

// ways are how a worker is started in these benchmarks: by os/exec, which the others
// are compared with, and by a guardian at each level.
var ways = [...]string{"os/exec", spawn.Plain.String(), spawn.Namespaces.String(), spawn.Sandbox.String()}

// begin starts a worker in one of the ways, and returns its link once it is ready, and
// what ends it.
func begin(b *testing.B, g *spawn.Guardian, way int) (*ipc.Link, func()) {
	b.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	if way > 0 {
		c, err := Start(g, &Options{Name: "bench", Stdout: null, Stderr: null, Confinement: Confinement{Level: spawn.Level(way - 1)}})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Handshake(time.Minute, func([]byte) {}); err != nil {
			b.Fatal(err)
		}
		return c.Link, func() {
			c.Proc.Kill()
			<-c.Proc.Done()
			c.Close()
		}
	}
	toWorker, fromWorker, in, out, err := linkPipes()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), outMarker)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = in, out, null, []*os.File{null}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	in.Close()
	out.Close()
	link := ipc.NewLink(fromWorker, toWorker)
	h := &ipc.Hello{Min: ipc.Version, Max: ipc.Version, FrameMax: ipc.MaxFrame, MessageMax: ipc.MaxMessage, Credit: ipc.DefaultCredit, Worker: "bench"}
	rand.Read(h.Nonce[:])
	if _, err := link.PutBatch(context.Background(), [][]byte{ipc.AppendHello(nil, h)}); err != nil {
		b.Fatal(err)
	}
	if _, err := link.Reader().AwaitReady(h, func([]byte) {}); err != nil {
		b.Fatal(err)
	}
	return link, func() {
		cmd.Process.Kill()
		cmd.Wait()
		link.Close()
	}
}

// report prints the median of each way, and that of its ratio to os/exec in the same
// round.
func report(b *testing.B, unit string, per float64, rounds [][len(ways)]time.Duration) {
	median := func(f func([len(ways)]time.Duration) float64) float64 {
		all := make([]float64, len(rounds))
		for i, r := range rounds {
			all[i] = f(r)
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	b.ReportMetric(0, "ns/op") // says nothing
	for i, way := range ways {
		b.ReportMetric(median(func(r [len(ways)]time.Duration) float64 { return float64(r[i]) / per }), way+"-"+unit)
		if i > 0 {
			b.ReportMetric(median(func(r [len(ways)]time.Duration) float64 { return float64(r[i]) / float64(r[0]) }), way+"-ratio")
		}
	}
}

// BenchmarkIsolation_Warm sends jobs that do nothing to warm workers, in turns.
func BenchmarkIsolation_Warm(b *testing.B) {
	for _, depth := range []int{1, 64} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			g, err := spawn.Open(spawn.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer g.Close()
			var links [len(ways)]*ipc.Link
			for i := range ways {
				var end func()
				links[i], end = begin(b, g, i)
				defer end()
			}
			const jobs = 512 // of a turn
			id := uint64(0)
			ctx := context.Background()
			in := make([][]byte, depth)
			out := make([][]byte, depth)
			var rounds [][len(ways)]time.Duration
			for b.Loop() {
				var r [len(ways)]time.Duration
				for k := range ways {
					way := (k + len(rounds)) % len(ways)
					link := links[way]
					start := time.Now()
					for range jobs / depth {
						for i := range in {
							id++
							in[i] = ipc.AppendJob(in[i][:0], id, "benchNoop", 1, 0, "", "", []byte{1})
						}
						if _, err := link.PutBatch(ctx, in); err != nil {
							b.Fatal(err)
						}
						for got := 0; got < depth; {
							n, err := link.GetBatch(ctx, out)
							if err != nil {
								b.Fatal(err)
							}
							got += n
						}
					}
					r[way] = time.Since(start)
				}
				rounds = append(rounds, r)
			}
			report(b, "µs/job", 1e3*jobs, rounds)
		})
	}
}

// BenchmarkIsolation_Start measures from the start of a worker to its ready frame.
func BenchmarkIsolation_Start(b *testing.B) {
	g, err := spawn.Open(spawn.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	var rounds [][len(ways)]time.Duration
	for b.Loop() {
		var r [len(ways)]time.Duration
		for way := range ways {
			start := time.Now()
			_, end := begin(b, g, way)
			r[way] = time.Since(start)
			end()
		}
		rounds = append(rounds, r)
	}
	report(b, "ms", 1e6, rounds)
}
