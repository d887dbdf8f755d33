//go:build unix

package pool_test

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/pool/pooltest"
)

// gate looks for leaks whenever no test is running; with -parallel 1 that is after
// each.
type gate struct {
	mu      sync.Mutex
	before  *pooltest.Snapshot // nil until TestMain has taken it
	running int
	since   []string // tests since nothing was left
}

var leakGate gate

// gated counts a test among those that run. setup does it; a test without it that
// starts goroutines or processes does it first, so that what it cleans up is gone
// when the gate looks.
func gated(t *testing.T) {
	t.Helper()
	leakGate.enter(t.Name())
	t.Cleanup(func() {
		if err := leakGate.leave(); err != nil {
			t.Error(err)
		}
	})
}

// enter waits while the gate looks.
func (g *gate) enter(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running++
	if !slices.Contains(g.since, name) {
		g.since = append(g.since, name)
	}
}

func (g *gate) leave() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running--; g.running > 0 {
		return nil
	}
	err := g.before.Left()
	if err != nil && ungated() {
		return nil // it may be that test's
	}
	names := g.since
	g.since = nil
	if err == nil {
		return nil
	}
	g.before = pooltest.Take() // or all that follow would be blamed, too
	return &leak{names, err}
}

type leak struct {
	tests []string
	err   error
}

func (l *leak) Error() string {
	return "left behind by " + strings.Join(l.tests, " or ") + ":\n" + l.err.Error()
}

// ungated reports whether a test runs that the gate does not count: one that
// neither waits, for its turn, for its subtests or at the gate, nor is at it.
func ungated() bool {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for s := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(s, "testing.tRunner(") && !strings.Contains(s, "testing.(*T).Parallel(") &&
			!strings.Contains(s, "testing.(*T).Run(") && !strings.Contains(s, "pool_test.(*gate).") {
			return true
		}
	}
	return false
}

// It is not parallel: no other test runs.
func TestGate_NamesTheTestsAfterWhichSomethingIsLeft(t *testing.T) {
	g := gate{before: pooltest.Take()}
	g.enter("first")
	g.enter("second")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := g.leave(); err != nil {
		t.Errorf("one of two has ended: %v", err)
	}
	if err := g.leave(); err == nil || err.Error() != "left behind by first or second:\ndescriptors left: 2 × pipe" {
		t.Errorf("error %v", err)
	}
	g.enter("third")
	if err := g.leave(); err != nil {
		t.Errorf("the third is blamed: %v", err)
	}
}
