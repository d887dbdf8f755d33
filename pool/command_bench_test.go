//go:build unix

package pool_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// BenchmarkCommands runs /bin/true 500 times, two at a time, by xargs and by the
// pool in turns, so that whatever else the machine does slows both. It reports the
// medians, and how many times as fast as xargs the pool is:
//
//	go test -run '^$' -bench 'Commands$' -benchtime 40x ./pool
func BenchmarkCommands(b *testing.B) {
	const n = 500
	var items bytes.Buffer
	for i := range n {
		fmt.Fprintln(&items, i)
	}
	p := newBench(b, 2)
	env := os.Environ()
	ended := make(chan struct{}, 8)
	done := func(_ *pool.Job, r *pool.Result) {
		if r.Outcome != pool.OK {
			b.Error(r.Outcome, r.Evidence)
		}
		<-ended
	}
	byPool := func() {
		for i := range n {
			ended <- struct{}{}
			if err := p.Go(&pool.Job{Command: &pool.Command{Argv: []string{"/bin/true", fmt.Sprint(i)}, Env: env}, Done: done}); err != nil {
				b.Fatal(err)
			}
		}
		for range cap(ended) {
			ended <- struct{}{}
		}
		for range cap(ended) {
			<-ended
		}
	}
	byXargs := func() {
		cmd := exec.Command("xargs", "-P2", "-n1", "/bin/true")
		cmd.Stdin = strings.NewReader(items.String())
		if err := cmd.Run(); err != nil {
			b.Skip(err)
		}
	}
	lap := func(f func()) time.Duration {
		begun := time.Now()
		f()
		return time.Since(begun)
	}
	byPool()
	var ours, theirs []time.Duration
	var ratios []float64
	for b.Loop() {
		x, y := lap(byXargs), lap(byPool)
		theirs, ours = append(theirs, x), append(ours, y)
		ratios = append(ratios, float64(x)/float64(y))
	}
	b.ReportMetric(n/median(theirs).Seconds(), "xargs/s")
	b.ReportMetric(n/median(ours).Seconds(), "pool/s")
	b.ReportMetric(median(ratios), "×xargs")
}

func median[T float64 | time.Duration](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}
