package spawn

import (
	"os/exec"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Its id may be a stranger's once it is reaped, and the watchdog kills by id.
func TestWatchdog_ForgetsTheAbandonedBeforeTheyAreReaped(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/bin/true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	g := &guard{pid: pid, trees: make(map[int]*tree)} // so it looks for orphans where there are none
	g.ended = sync.NewCond(&g.mu)
	tr := &tree{pid: pid, tid: pid, cell: &cell{}}
	g.trees[pid] = tr
	g.watch.trees = []*tree{tr}
	g.outlast(tr, pidfd)
	if len(g.watch.trees) > 0 {
		t.Error("it is still being watched")
	}
	if !tr.over.Load() || len(g.trees) > 0 {
		t.Error("its tree is not over")
	}
	if _, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("it was not reaped: %v", err)
	}
	cmd.Process.Release()
}
