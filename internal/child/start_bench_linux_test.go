package child

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/spawn"
)

// hello is the least that a Go program can do to show that it runs.
const hello = `package main

import "os"

func main() { os.Stdout.Write([]byte{1}) }
`

// BenchmarkStart starts the worker program by a guardian, until it can take a job, and
// in turns with it a program of one line by os/exec, until its first byte is there. Both
// are built alike. It reports the medians, and that of their ratios:
//
//	go test -run '^$' -bench 'Start$' -benchtime 200x ./internal/child
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	source := filepath.Join(dir, "hello.go")
	if err := os.WriteFile(source, []byte(hello), 0o600); err != nil {
		b.Fatal(err)
	}
	build := func(name, what string) string {
		path := filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-trimpath", "-o", path, what)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, text)
		}
		// Pages that are on their way to the disk are slow to map.
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		return path
	}
	floor, program := build("hello", source), build("worker", "../../cmd/worker")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	g, err := spawn.Open(spawn.Options{Path: program})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()

	byExec := func() time.Duration {
		cmd := exec.Command(floor)
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		begun := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
		took := time.Since(begun)
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		return took
	}
	byUs := func() time.Duration {
		begun := time.Now()
		c, err := Start(g, &Options{Name: "bench", Command: []string{program}, Stdout: null, Stderr: null, CPUs: 1, Page: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Handshake(time.Minute, func([]byte) {}); err != nil {
			b.Fatal(err)
		}
		took := time.Since(begun)
		c.Proc.Kill()
		<-c.Proc.Done()
		c.Close()
		return took
	}
	var floors, ours []time.Duration
	var ratios []float64
	for b.Loop() {
		x, y := byExec(), byUs()
		floors, ours = append(floors, x), append(ours, y)
		ratios = append(ratios, float64(y)/float64(x))
	}
	slices.Sort(floors)
	slices.Sort(ours)
	slices.Sort(ratios)
	b.ReportMetric(0, "ns/op") // says nothing
	b.ReportMetric(float64(floors[len(floors)/2])/1e6, "hello-ms")
	b.ReportMetric(float64(ours[len(ours)/2])/1e6, "worker-ms")
	b.ReportMetric(ratios[len(ratios)/2], "×hello")
}
