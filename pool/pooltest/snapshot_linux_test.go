package pooltest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/pool/pooltest"
)

// These look at the whole process, and are not parallel.

func TestSnapshot_NamesWhatIsLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	before := pooltest.Take()
	if err := before.Left(); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	sleep := exec.Command("sleep", "100")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(os.TempDir(), "forgotten")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go waits(done)
	left := before.Left()
	close(done)
	sleep.Process.Kill()
	sleep.Wait()
	os.Remove(file)
	if left == nil {
		t.Fatal("nothing is left, it says")
	}
	for _, want := range []string{"(sleep)", "2 × pipe", "forgotten", "pooltest_test.waits"} {
		if !strings.Contains(left.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, left)
		}
	}
}

func waits(done chan struct{}) { <-done }

func TestNoLeaks_APoolLeavesNothing(t *testing.T) {
	pooltest.NoLeaks(t)
	p := open(t, pool.Config{})
	first := right(t, p)
	if first.PID == os.Getpid() {
		t.Error("it ran in this process")
	}
}
