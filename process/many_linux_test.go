package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/feac4032/multiproc/task"
)

type census struct {
	PID   int
	Files []string
}

// inspect lists the descriptors of its process, and ends as it is told: 0
// returns, n exits with n, −n dies by signal n.
var inspect = task.Define("test/inspect", func(_ context.Context, how int) (census, error) {
	switch {
	case how > 0:
		os.Exit(how)
	case how < 0:
		syscall.Kill(os.Getpid(), syscall.Signal(-how))
		select {}
	}
	return census{os.Getpid(), openFiles("self")}, nil
})

func TestProcess_HundredStartedTogether(t *testing.T) {
	t.Parallel()
	const n = 100
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	how := func(i int) int {
		switch i % 4 {
		case 2:
			return i
		case 3:
			return -9
		}
		return 0
	}
	calls := make([]*Call[census], n)
	started := make(chan error, n)
	for i := range calls {
		calls[i] = New(inspect, how(i), WithName(fmt.Sprint("child-", i)), WithStderr(nil), WithStdout(nil))
		go func() { started <- calls[i].Start(ctx) }()
	}
	for range n {
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	}
	pids := map[int]bool{}
	var files []string
	for i, c := range calls {
		got, err := c.Result(within(t))
		if code, ok := c.ExitCode(); code != how(i) || !ok {
			t.Errorf("%s: exit code %d, %v, want %d (%v)", c.Name(), code, ok, how(i), err)
		}
		pids[c.PID()] = true
		if how(i) != 0 {
			var e *ExitError
			if !errors.As(err, &e) {
				t.Errorf("%s: %v, want an *ExitError", c.Name(), err)
			}
			continue
		}
		if err != nil || got.PID != c.PID() {
			t.Errorf("%s: result of pid %d, %v, want %d", c.Name(), got.PID, err, c.PID())
		}
		if files == nil {
			files = got.Files
			// stdin and stdout, both the null device, the pipe of stderr, and the link.
			if len(files) != 5 {
				t.Errorf("open in a child: %q", files)
			}
		}
		if !slices.Equal(got.Files, files) {
			t.Errorf("%s has open %q, another %q", c.Name(), got.Files, files)
		}
	}
	if len(pids) != n {
		t.Errorf("%d different processes, want %d", len(pids), n)
	}
	for pid := range pids {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(b), ") Z ") {
			t.Errorf("zombie: %s", b)
		}
	}
}
