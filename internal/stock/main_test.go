package stock

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/task"
)

// childTask makes the test binary run one task, named by it, and exit 77.
const childTask = "STOCK_TEST_TASK"

func TestMain(m *testing.M) {
	if name := os.Getenv(childTask); name != "" {
		def, _ := task.Lookup(name)
		var arg any = "child"
		if name == "exit" {
			arg = 41
		}
		if name == "hang" {
			go func() {
				io.Copy(io.Discard, os.Stdin)
				os.Exit(5)
			}()
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		payload, err := task.Encode(nil, arg)
		if err == nil {
			_, err = def.Run(ctx, payload, nil)
		}
		fmt.Fprintln(os.Stderr, "came back:", err)
		os.Exit(77)
	}
	goleak.VerifyTestMain(m)
}

// inChild runs a task in a process of its own, and returns how that ended and
// its stdout.
func inChild(t *testing.T, name string) (*os.ProcessState, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childTask+"="+name, "GOTRACEBACK=none")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	t.Logf("%s: %v, stderr %q", name, cmd.ProcessState, stderr.String())
	return cmd.ProcessState, stdout.String()
}

// call runs a task in this process, over its encoding.
func call[Out any](t *testing.T, ctx context.Context, name string, arg any) (Out, error) {
	t.Helper()
	var out Out
	def, ok := task.Lookup(name)
	if !ok {
		t.Fatalf("task %q is not defined", name)
	}
	payload, err := task.Encode(nil, arg)
	if err != nil {
		t.Fatal(err)
	}
	result, err := def.RunInPlace(ctx, payload, nil)
	if err != nil {
		return out, err
	}
	if err := task.Decode(result, &out); err != nil {
		t.Fatalf("result of %s: %v", name, err)
	}
	return out, nil
}
