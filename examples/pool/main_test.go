package main

import (
	"os"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/worker"
)

// TestMain lets the test binary be its own workers and guardian.
func TestMain(m *testing.M) {
	worker.Init()
	os.Exit(m.Run())
}

func TestRun_DeathCostsOneText(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	const want = `"pride": 5 letters, 2 vowels
"deadly": its worker exited with code 9
"prejudice": 9 letters, 4 vowels
"": nothing to count
"persuasion": 10 letters, 5 vowels
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
