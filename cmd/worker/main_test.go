package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// actAsWorker makes the test binary the worker itself.
const actAsWorker = "WORKER_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(actAsWorker) != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestWorker_ByHandExits2AndSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "alloc counter echo exit fail hang hash panic primes print segfault sleep wordcount"},
		{[]string{"guard"}, "cannot be run by hand"},
	} {
		cmd := exec.Command(os.Args[0], c.args...)
		cmd.Env = append(os.Environ(), actAsWorker+"=1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("worker %v: exit code %d, stderr %q", c.args, code, stderr.String())
		}
	}
}
