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

func TestRun_NothingIsLost(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^2 producers, 3 consumers, sum 499500
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
