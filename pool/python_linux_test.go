package pool_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/pool"
)

// printed gathers what workers print outside of jobs, by stream.
type printed struct{ stdout, stderr syncBuffer }

func (p *printed) log(e pool.LogEvent) {
	switch e.Stream {
	case "stdout":
		p.stdout.Write([]byte(e.Message))
	case "stderr":
		p.stderr.Write([]byte(e.Message))
	}
}

// setupPython makes a pool of one worker that is written in Python.
func setupPython(t *testing.T) (*bundle, *printed) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed:", err)
	}
	script, err := filepath.Abs("testdata/python/worker.py")
	if err != nil {
		t.Fatal(err)
	}
	var out printed
	return setup(t, pool.Config{Workers: 1, OnLog: out.log, Program: pool.Program{Command: []string{python, script}}}), &out
}

func TestPython_StartupPrintsAreNoProtocol(t *testing.T) {
	t.Parallel()
	b, out := setupPython(t)
	tasks, err := b.Tasks(b.ctx, nil)
	if err != nil || strings.Join(tasks, " ") != "echo exit fail printer" {
		t.Errorf("tasks %q, %v", tasks, err)
	}
	if got := out.stdout.String(); got != "loading on descriptor 1\nmoved\n" {
		t.Errorf("stdout %q", got)
	}
	if got := out.stderr.String(); got != "loading on descriptor 2\n" {
		t.Errorf("stderr %q", got)
	}
}

func TestPython_JobsOfAllSizes(t *testing.T) {
	t.Parallel()
	b, _ := setupPython(t)
	for _, n := range []int{0, 1, 255, 256, 64<<10 - 3, 64 << 10, 64<<10 + 1, 3 << 20, 1} {
		in := bytes.Repeat([]byte{byte(n)}, n)
		if out, err := pool.Call(b.ctx, b.Pool, echo, in); err != nil || !bytes.Equal(in, out) {
			t.Errorf("echo of %d bytes: %d bytes, %v", n, len(out), err)
		}
	}
	if n := b.WorkersLost(); n != 0 {
		t.Errorf("%d workers lost", n)
	}
}

func TestPython_OutputBelongsToItsJob(t *testing.T) {
	t.Parallel()
	b, _ := setupPython(t)
	for i := range 20 {
		text := fmt.Sprintf("<%d>\n", i)
		payload, _ := printer.EncodeIn(nil, text)
		r, stdout, stderr := runCommand(b, &pool.Job{Task: printer.Name(), Payload: payload})
		if r.Outcome != pool.OK || stdout != text+"child" && stdout != "child"+text || stderr != "E"+text {
			t.Errorf("%s (%s), stdout %q, stderr %q", r.Outcome, r.Evidence, stdout, stderr)
		}
	}
}

func TestPython_ErrorsAndDeaths(t *testing.T) {
	t.Parallel()
	b, _ := setupPython(t)
	_, err := pool.Call(b.ctx, b.Pool, fail, "out of cheese")
	var te *pool.TaskError
	if !errors.As(err, &te) || te.Failure.Type != "ValueError" || te.Failure.Msg != "out of cheese" || !strings.Contains(te.Failure.Stack, "worker.py") {
		t.Errorf("error %+v", err)
	}
	_, err = pool.Call(b.ctx, b.Pool, exit, 4)
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) || lost.ExitCode != 4 || lost.Outcome != pool.Crashed {
		t.Errorf("error %+v", err)
	}
	if out, err := pool.Call(b.ctx, b.Pool, echo, []byte("still here")); err != nil || string(out) != "still here" {
		t.Errorf("after a death: %q, %v", out, err)
	}
}

const greetEnv = "POOL_TEST_GREET"

// A package that prints while the program starts, as some do.
var _ = func() bool {
	if boot.Role == boot.Worker && os.Getenv(greetEnv) != "" {
		fmt.Println("printed by an init function")
		os.Stderr.WriteString("complained by an init function\n")
	}
	return true
}()

func TestGoWorker_InitPrintsAreNoProtocol(t *testing.T) {
	t.Parallel()
	var out printed
	b := setup(t, pool.Config{Workers: 1, OnLog: out.log, Program: pool.Program{Env: append(os.Environ(), greetEnv+"=1")}})
	payload, _ := printer.EncodeIn(nil, "by a task")
	r, stdout, stderr := runCommand(b, &pool.Job{Task: printer.Name(), Payload: payload})
	if r.Outcome != pool.OK || stdout != "by a task" || stderr != "Eby a task" {
		t.Errorf("%s (%s), stdout %q, stderr %q", r.Outcome, r.Evidence, stdout, stderr)
	}
	if got := out.stdout.String(); got != "printed by an init function\n" {
		t.Errorf("stdout %q", got)
	}
	if got := out.stderr.String(); got != "complained by an init function\n" {
		t.Errorf("stderr %q", got)
	}
}
