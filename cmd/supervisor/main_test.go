package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/feac4032/multiproc/worker"
)

// asSupervisor is the environment variable that makes the test binary the
// supervisor under any name.
const asSupervisor = "SUPERVISOR_TEST_MAIN"

// TestMain lets the test binary be the supervisor of the scripts, and that be
// its own workers and guardian.
func TestMain(m *testing.M) {
	worker.Init()
	if os.Getenv(asSupervisor) != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"supervisor": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	data, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	// Each line of a script starts a process, which takes long in a program that looks
	// for races: what is short has the scripts in which most goes on at a time.
	dir, files := filepath.Join(data, "script"), []string(nil)
	if testing.Short() {
		for _, name := range []string{"run", "failures", "signals", "objects", "threads", "memory"} {
			files = append(files, filepath.Join(dir, name+".txtar"))
		}
		dir = ""
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, Files: files,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DATA", data)
			return nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"wants": wants,
			"await": await,
			"near":  near,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "race" {
				return raceEnabled, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}
