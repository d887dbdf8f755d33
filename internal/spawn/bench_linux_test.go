package spawn

import (
	"os"
	"testing"
)

// BenchmarkStart runs /bin/true, two in flight, with captured output. The
// figure to compare with is that of: seq N | xargs -P2 -n1 /bin/true
func BenchmarkStart(b *testing.B) {
	g := open(b, Options{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		buf := make([]byte, 100)
		for pb.Next() {
			r, w, err := os.Pipe()
			if err != nil {
				b.Error(err)
				return
			}
			p, err := g.Start(&Spec{Path: "/bin/true", Files: []*os.File{nil, w, w}})
			w.Close()
			if err != nil {
				b.Error(err)
				return
			}
			r.Read(buf)
			r.Close()
			<-p.Done()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "starts/s")
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		g, err := Open(Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := g.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
