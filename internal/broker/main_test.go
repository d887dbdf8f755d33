package broker

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

var seeds = flag.Int("seeds", 100, "how many random histories to compare with a model")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// history is a random sequence of operations on an object and on its model. When
// the two differ the test fails with the seed and all that has happened.
type history struct {
	*rand.Rand
	t    *testing.T
	seed uint64
	did  []string
}

// compare runs a history for each seed.
func compare(t *testing.T, run func(h *history)) {
	for seed := range *seeds {
		h := &history{Rand: rand.New(rand.NewPCG(uint64(seed), 1)), t: t, seed: uint64(seed)}
		if run(h); t.Failed() {
			return
		}
	}
}

func (h *history) step(format string, args ...any) {
	h.did = append(h.did, fmt.Sprintf(format, args...))
}

func (h *history) failed(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d, step %d: %s\n%s", h.seed, len(h.did), fmt.Sprintf(format, args...), strings.Join(h.did, "\n"))
}

func (h *history) equal(what string, got, want any) {
	h.t.Helper()
	if got != want {
		h.failed("%s: got %v, want %v", what, got, want)
	}
}
