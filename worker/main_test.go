package worker

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/internal/boot"
)

// childMode makes the test binary something else than tests.
const childMode = "WORKER_TEST_MODE"

func TestMain(m *testing.M) {
	switch os.Getenv(childMode) {
	case "main":
		Main()
	case "no main": // a program that never enters Init
		fmt.Printf("role %q entered %v\n", boot.Role, Entered())
		os.Exit(0)
	}
	Init()
	goleak.VerifyTestMain(m)
}

func TestMain_ByHandSaysWhatItIs(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"=main")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	for _, want := range []string{"is a worker program", "test.gate", "supervisor run"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr %q lacks %q", stderr.String(), want)
		}
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout %q, want none", stdout.String())
	}
}

func TestInit_ReturnsInTheParent(t *testing.T) {
	t.Parallel()
	if !Entered() { // by TestMain
		t.Error("Entered is false after Init")
	}
}
