package pooltest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/worker"
)

// TestMain lets the test binary be its own workers and guardian.
func TestMain(m *testing.M) {
	worker.Init()
	goleak.VerifyTestMain(m)
}
