//go:build unix

package pool_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/feac4032/multiproc/pool"
)

const noMainEnv = "POOL_TEST_NO_MAIN"

func init() { roles = append(roles, goOnWithoutInit) }

// goOnWithoutInit is a program whose main calls neither process.Main nor
// worker.Init.
func goOnWithoutInit() {
	if os.Getenv(noMainEnv) == "" {
		return
	}
	_, err := pool.New(context.Background(), pool.Config{Workers: 1})
	fmt.Print(err)
	os.Exit(0)
}

func TestNew_InAProgramWithoutInitIsErrNoMain(t *testing.T) {
	t.Parallel()
	gated(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), noMainEnv+"=1")
	out, err := cmd.CombinedOutput()
	if want := "pool: " + pool.ErrNoMain.Error(); string(out) != want || err != nil {
		t.Errorf("it said %q, %v, want %q", out, err, want)
	}
}
