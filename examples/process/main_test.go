package main

import (
	"os"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/worker"
)

// TestMain lets the test binary be its own children and guardian.
func TestMain(m *testing.M) {
	worker.Init()
	os.Exit(m.Run())
}

func TestRun_EveryEndIsTold(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"42/6: 7 <nil>",
		"42/0: zero 1 panic: runtime error: integer divide by zero",
		"sleep: nap -9 killed",
		"from a command",
		"command: cat 3",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, out.String())
		}
	}
}
