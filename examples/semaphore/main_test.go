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

func TestRun_PermitOfADeadWorkerComesBack(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^job 0: its worker exited with code 9
5 jobs done, at most [12] at a time, 2 permits free
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
