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

func TestRun_PermitOfADeadProcessComesBack(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^process 0 exited with code 9
at most [12] at a time, 2 permits free at the end
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
