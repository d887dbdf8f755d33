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

func TestRun_InOrder(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^1000000: 78498
 100000: 9592
  10000: 1229
   1000: 168
    100: 25
     10: 4
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
