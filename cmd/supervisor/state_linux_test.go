package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestState_FallsBackInAReadOnlyFolder runs a file where nothing can be written, as
// a user whom that holds up.
func TestState_FallsBackInAReadOnlyFolder(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "state") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.Chmod(filepath.Join(dir, "closed"), 0o755)
		os.RemoveAll(dir)
	})
	binary, closed := filepath.Join(dir, "supervisor"), filepath.Join(dir, "closed")
	copyFile(t, binary)
	for _, step := range []error{
		os.Chmod(dir, 0o755),
		os.Mkdir(closed, 0o755),
		os.WriteFile(filepath.Join(closed, "job.yaml"), []byte("jobs: [{id: a, run: [echo, ran]}]\n"), 0o644),
		os.Chmod(closed, 0o555),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	run := func(args ...string) (stdout, stderr string, code int) {
		cmd := exec.Command(binary, args...)
		cmd.Dir = closed
		cmd.Env = append(os.Environ(), asSupervisor+"=1")
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.Run()
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	stdout, stderr, code := run("run", "-no-progress")
	if stdout != "ran\n" || code != 0 ||
		!strings.HasPrefix(stderr, "supervisor: .supervisor: permission denied; the run keeps no journal, and cannot be resumed\n") {
		t.Errorf("it printed %q and %q, exit code %d", stdout, stderr, code)
	}
	if stdout, stderr, code := run("run", "-state", "here"); stdout != "" || code != 5 || stderr != "supervisor: -state here: permission denied\n" {
		t.Errorf("with -state it printed %q and %q, exit code %d", stdout, stderr, code)
	}
}
