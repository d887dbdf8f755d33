package pool_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/faulttest"
)

const (
	faultEnv    = "POOL_TEST_FAULT"     // what the worker plays
	faultDirEnv = "POOL_TEST_FAULT_DIR" // the folder of the case
)

func init() { roles = append(roles, playFault) }

// playFault plays the fault that the environment names. Only the program's first
// process does, unless the fault is one of always: the others are good workers.
func playFault() {
	name := os.Getenv(faultEnv)
	if boot.Role != boot.Worker || name == "" {
		return
	}
	f := faultNamed(name)
	if f == nil {
		fmt.Fprintln(os.Stderr, "no such fault:", name)
		os.Exit(99)
	}
	first, err := os.OpenFile(filepath.Join(os.Getenv(faultDirEnv), "played"), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil && !f.always {
		return
	}
	first.Close()
	f.play(faulttest.New(noop.Name()))
	os.Exit(0)
}
