package worker

import (
	"context"
	"testing"

	"github.com/feac4032/multiproc/ipc"
)

var _ = context.Background

func TestServe_AnswersJobsInOrderAndStops(t *testing.T) {
	t.Parallel()
	l := setup(t)
	l.send(job1(1, "echo", "one"), job1(2, "echo", 2), job1(3, "echo", nil), ipc.AppendStop(nil))
	for id := uint64(1); id <= 3; id++ {
		l.result(id, ipc.StatusOK)
	}
	if code := l.exit(); code != exitOK {
		t.Errorf("exit code %d, want %d", code, exitOK)
	}
}
