package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/pool"
)

// isolationThread is the level of no isolation.
const isolationThread = "thread"

// isolate gives the jobs that say nothing of it the level of isolation that a flag
// asks for. It reports whether their tasks are to run as goroutines of this process,
// and refuses what cannot.
func isolate(level string, f *config.File, threads bool) (bool, error) {
	switch level {
	case "": // no flag
		return false, nil
	case config.IsolationProcess, config.IsolationNamespaces, config.IsolationSandbox:
		for _, j := range f.Jobs {
			if j.Isolation == "" {
				j.Isolation = level
			}
		}
		return false, nil
	case isolationThread:
		if threads {
			return true, batch.FitsThreads(f)
		}
	}
	want := "process, namespaces or sandbox"
	if threads {
		want = "process, thread, namespaces or sandbox"
	}
	return false, usagef("-isolation %s: want %s", level, want)
}

// tellGaps says what this machine has not got of the levels that jobs run at all the
// same. What cannot be found out is not told: starts will fail, and say why.
func tellGaps(w io.Writer, f *config.File, g *spawn.Guardian) {
	level := lenientLevel(f)
	if level == spawn.Plain {
		return
	}
	survey, err := g.Survey()
	if err != nil {
		return
	}
	if gaps := gapsOf(survey, level); gaps != nil {
		fmt.Fprintf(w, "supervisor: isolation %s: this machine has it without %s; supervisor doctor says why, and require_isolation: true runs nothing like that\n",
			level, strings.Join(gaps, ", "))
	}
}

// lenientLevel is the highest level that jobs ask for without the need of all of it.
func lenientLevel(f *config.File) (level spawn.Level) {
	for _, j := range f.Jobs {
		if l, ok := spawn.ParseLevel(j.Isolation); ok && !j.RequireIsolation {
			level = max(level, l)
		}
	}
	return level
}

// gapsOf lists the parts of a level that are not there.
func gapsOf(s *spawn.Survey, level spawn.Level) (names []string) {
	for _, p := range s.Parts {
		if p.Level <= level && !p.OK {
			names = append(names, p.Name)
		}
	}
	return names
}

// settleIn makes this process a worker of the file: its tasks find files where
// they would in one. Relative paths of the flags have been used by then.
func settleIn(f *config.File) error {
	dir, err := filepath.Abs(f.Dir)
	if err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	f.Dir = dir
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("folder of %s: %w", f.Path, reason(err))
	}
	return nil
}

// openExecutor makes what runs the instances of a file.
func openExecutor(threads bool, cfg pool.Config, f *config.File, s batch.Settings) (batch.Executor, error) {
	if threads {
		return batch.OpenThreads(cfg, f, s)
	}
	return batch.OpenLocal(cfg, f, s)
}
