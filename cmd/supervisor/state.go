package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// defaultState is the folder in which a run keeps what does not fit in memory.
const defaultState = ".supervisor"

// stateDir makes the folder that outputs spill to and returns its path, "" for
// the system's folder of temporary files. Without a name, one that cannot be
// made is done without, and warning says so.
func stateDir(name string, given bool) (dir string, remove func(), warning string, err error) {
	remove = func() {}
	if given && name == "none" {
		return "", remove, "", nil
	}
	if !given {
		name = defaultState
	}
	path, err := filepath.Abs(name)
	if err == nil {
		_, missing := os.Lstat(path)
		if err = os.MkdirAll(path, 0o700); err == nil {
			if err = writable(path); err == nil {
				if missing != nil {
					remove = func() { os.Remove(path) } // as long as nothing is in it
				}
				return path, remove, "", nil
			}
		}
	}
	if given {
		return "", remove, "", fmt.Errorf("-state %s: %w", name, reason(err))
	}
	return "", remove, fmt.Sprintf("%s: %v; large outputs go where temporary files go", name, reason(err)), nil
}

// writable finds out whether a file can be made in a folder.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	return f.Close()
}
