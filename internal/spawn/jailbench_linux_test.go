package spawn

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkJail starts and ends a process in turn by each way of starting one, so that
// they share whatever else the machine does; medians are what to compare. The guardian
// is the worker program as it is released; it also is the Go program that is started:
// by hand it only says what it is.
func BenchmarkJail(b *testing.B) {
	worker := filepath.Join(b.TempDir(), "worker")
	build := exec.Command("go", "build", "-o", worker, "github.com/feac4032/multiproc/cmd/worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	g := open(b, Options{Path: worker, Args: []string{"worker", "guard"}})
	ways := []struct {
		name string
		spec Spec
	}{
		{"plain", Spec{}},
		{"rlimits", Spec{Limits: &Limits{FileSize: 1 << 30}}},
		{"namespaces", Spec{Level: Namespaces}},
		{"sandbox", Spec{Level: Sandbox}},
	}
	for _, program := range []string{"/bin/true", worker} {
		b.Run(filepath.Base(program), func(b *testing.B) {
			times := make([][]time.Duration, len(ways))
			for b.Loop() {
				for i, way := range ways {
					s := way.spec
					s.Path = program
					begun := time.Now()
					waitDone(b, start(b, g, &s))
					times[i] = append(times[i], time.Since(begun))
				}
			}
			for i, way := range ways {
				slices.Sort(times[i])
				b.ReportMetric(float64(times[i][len(times[i])/2].Microseconds()), way.name+"-µs")
				b.ReportMetric(float64(times[i][0].Microseconds()), way.name+"-min-µs")
			}
		})
	}
}
