package faulttest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin is the folder of the built programs.
var bin string

// TestMain builds what a user runs, and the program that does harm.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Other users must come in, too.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bin = dir
	const module = "github.com/feac4032/multiproc/"
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin, module+"cmd/supervisor", module+"cmd/worker", module+"testdata/faultworker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n%s", build, err, out)
		return 1
	}
	code := m.Run()
	if left := foreignTo(dir); len(left) > 0 && code == 0 {
		fmt.Fprintln(os.Stderr, "processes are left:", left)
		code = 1
	}
	return code
}

// foreignTo lists the living processes whose program is in a folder.
func foreignTo(dir string) (left []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range all {
		if to, err := os.Readlink(exe); err == nil && filepath.Dir(to) == dir {
			left = append(left, fmt.Sprint(filepath.Base(filepath.Dir(exe)), " ", filepath.Base(to)))
		}
	}
	return left
}
