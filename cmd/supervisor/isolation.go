package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/pool"
)

// Levels of isolation.
const (
	isolationThread     = "thread"
	isolationProcess    = "process"
	isolationNamespaces = "namespaces"
	isolationSandbox    = "sandbox"
)

// asThreads reports whether tasks are to run as goroutines of this process, and
// refuses what cannot.
func asThreads(level string, f *config.File) (bool, error) {
	switch level {
	case isolationProcess, "": // a command without the flag
		return false, nil
	case isolationThread:
		return true, batch.FitsThreads(f)
	case isolationNamespaces, isolationSandbox:
		return false, usagef("-isolation %s is not available yet", level)
	}
	return false, usagef("-isolation %s: want process or thread", level)
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
