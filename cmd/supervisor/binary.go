package main

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
)

// besideWorker gives the path of the worker program beside this one, which is
// smaller and starts faster, and "" when there is none of this module: then this
// program is its own worker.
func besideWorker() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	name := "worker"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	path := filepath.Join(filepath.Dir(self), name)
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return ""
	}
	theirs, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	ours, ok := debug.ReadBuildInfo()
	if !ok || theirs.Main.Path != ours.Main.Path || theirs.Path != ours.Main.Path+"/cmd/worker" {
		return ""
	}
	return path
}
