package main

import (
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/worker"
)

// TestMain lets the test binary be its own workers and guardian.
func TestMain(m *testing.M) {
	worker.Init()
	goleak.VerifyTestMain(m)
}

func TestRun_NeverTooFull(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^600 items, sum 59700, never more than [1-4] in the buffer
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
