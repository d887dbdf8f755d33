//go:build unix

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool/pooltest"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// The test binary is its own worker program.
var (
	echo = task.Define("echo", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	noop = task.Define("noop", func(_ context.Context, n int) (int, error) { return n, nil })
	nap  = task.Define("nap", func(ctx context.Context, d time.Duration) (int, error) {
		select {
		case <-time.After(d):
			return os.Getpid(), nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	})
	pid  = task.Define("pid", func(context.Context, struct{}) (int, error) { return os.Getpid(), nil })
	deaf = task.Define("deaf", func(_ context.Context, d time.Duration) (int, error) {
		time.Sleep(d) // as a task does that looks at no context
		return 0, nil
	})
	fail  = task.Define("fail", func(_ context.Context, msg string) (int, error) { return 0, fmt.Errorf("%s: %w", msg, errSentinel) })
	boom  = task.Define("boom", func(_ context.Context, msg string) (int, error) { panic(msg) })
	exit  = task.Define("exit", func(_ context.Context, code int) (int, error) { os.Exit(code); return 0, nil })
	raise = task.Define("raise", func(_ context.Context, sig int) (int, error) {
		syscall.Kill(os.Getpid(), syscall.Signal(sig))
		select {}
	})
	printer = task.Define("printer", func(_ context.Context, s string) (int, error) {
		fmt.Print(s)
		fmt.Fprint(os.Stderr, "E"+s)
		return len(s), nil
	})
	flood = task.Define("flood", func(context.Context, struct{}) (int, error) {
		block := make([]byte, 1<<16)
		for {
			os.Stderr.Write(block)
		}
	})
	environ = task.Define("environ", func(_ context.Context, key string) (string, error) { return os.Getenv(key), nil })
)

var errSentinel = errors.New("sentinel")

func init() { task.DefineError("pool_test.sentinel", errSentinel) }

// roles are what this binary may be instead of a test: each looks at its
// environment, and does not return if it is meant.
var roles []func()

func TestMain(m *testing.M) {
	for _, play := range roles {
		play()
	}
	worker.Init()
	os.Exit(run(m))
}

// run runs the tests, and looks at what they have left.
func run(m *testing.M) (code int) {
	temp, err := os.MkdirTemp("", "pool-test-")
	if err == nil {
		err = os.Setenv("TMPDIR", temp)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(temp)
	before := pooltest.Take()
	leakGate.before = before
	if code = m.Run(); code != 0 {
		return code
	}
	left := before.Left()
	if entries, err := os.ReadDir(temp); err != nil || len(entries) > 0 {
		left = errors.Join(left, err, fmt.Errorf("temporary files left: %v", entries))
	}
	if left != nil {
		fmt.Fprintln(os.Stderr, left)
		return 1
	}
	return 0
}
