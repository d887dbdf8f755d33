package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/worker"
)

// TestMain lets the test binary be its own children and guardian.
func TestMain(m *testing.M) {
	worker.Init()
	os.Exit(m.Run())
}

func TestRun_ALockLosesNothing(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^careless: \d{1,4} of 3000
with a lock: 3000 of 3000
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
