package spawn

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
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

// BenchmarkStart_WithLimits has the cost of a group, and of a stub where one is needed,
// on top of BenchmarkStart's.
func BenchmarkStart_WithLimits(b *testing.B) {
	for name, l := range map[string]*Limits{
		"none": nil, "cpu": {CPU: time.Minute}, "files": {Files: 100}, "memory": {Memory: 1 << 30},
		"all": {Memory: 1 << 30, CPU: time.Minute, PIDs: 100, Files: 100, FileSize: 1 << 30},
	} {
		b.Run(name, func(b *testing.B) {
			g := open(b, Options{})
			for b.Loop() {
				p, err := g.Start(&Spec{Path: "/bin/true", Limits: l, Brief: true})
				if err != nil {
					b.Fatal(err)
				}
				<-p.Done()
			}
		})
	}
}

// BenchmarkWatchdog has 16 idle workers with limits, and tells which part of one
// processor the guardian uses for them: 1 % is 0.01.
func BenchmarkWatchdog(b *testing.B) {
	for _, only := range []string{"", byV2, byV1, byWatchdog} {
		for what, l := range map[string]*Limits{
			"memory": {Memory: 1 << 30}, "all": {Memory: 1 << 30, CPU: time.Minute, PIDs: 100, Files: 100, FileSize: 1 << 30},
		} {
			b.Run(what+" by "+only, func(b *testing.B) {
				g := open(b, Options{only: only})
				for range 16 {
					if _, err := g.Start(&Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}, Limits: l}); err != nil {
						b.Fatal(err)
					}
				}
				before := cpuOf(b, g.current.pid)
				begun := time.Now()
				for b.Loop() {
					time.Sleep(2 * time.Second)
				}
				b.ReportMetric((cpuOf(b, g.current.pid)-before).Seconds()/time.Since(begun).Seconds(), "cores")
			})
		}
	}
}

// cpuOf reads the CPU time of all threads of a process, in nanoseconds and not ticks.
func cpuOf(b *testing.B, pid int) (sum time.Duration) {
	b.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		b.Skip("no schedstat here")
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		var ns int64
		if _, err := fmt.Sscan(string(text), &ns); err == nil {
			sum += time.Duration(ns)
		}
	}
	return sum
}
