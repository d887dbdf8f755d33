package lab

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/worker"
)

func TestMain(m *testing.M) {
	worker.Init() // the processes of experiments are this test again
	// The guardian of package process stays as long as the program.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/feac4032/multiproc/internal/spawn.(*instance).watch"))
}
